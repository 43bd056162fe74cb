// SPDX-License-Identifier: Apache-2.0
/*
 * TCP load for the benchmarks: connections a second, request-response latency, stream throughput.
 * usage: tcp serve ADDRESS PORT | tcp connect|respond|stream ADDRESS PORT SECONDS
 * The server takes one kind of client after the other: a request byte 'q' is echoed, and what else comes is swallowed.
 * A client prints one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX (1 << 20)

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "tcp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static double cpu_busy(void)
{
	FILE *file = fopen("/proc/stat", "r");
	unsigned long long user, nice, system, idle, iowait, irq, softirq;
	if (!file ||
	    fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq, &softirq) != 7)
		die("/proc/stat");
	fclose(file);
	return (double)(user + nice + system + irq + softirq) / sysconf(_SC_CLK_TCK);
}

static void *client_serve(void *argument)
{
	int fd = (int)(long)argument;
	static __thread char buffer[1 << 17];
	ssize_t size;
	while ((size = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		if (size == 1 && buffer[0] == 'q' && send(fd, buffer, 1, MSG_NOSIGNAL) < 0)
			break;
	close(fd);
	return NULL;
}

/* One connection after the other is answered in place, unless it lasts: then it gets a thread. */
static void serve(const struct sockaddr_in *address)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(listener, (const struct sockaddr *)address, sizeof(*address)) < 0 || listen(listener, 1024) < 0)
		die("listen");
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		char first;
		if (recv(fd, &first, 1, 0) != 1) {
			close(fd);
		} else if (first == 'c') { /* a short one: the client closes after the answer */
			send(fd, &first, 1, MSG_NOSIGNAL);
			close(fd);
		} else {
			pthread_t thread;
			if (pthread_create(&thread, NULL, client_serve, (void *)(long)fd))
				die("thread");
			pthread_detach(thread);
		}
	}
}

static int client_connect(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	/* The server was started a moment ago. */
	for (int tries = 0; fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0; tries++) {
		if (fd < 0 || errno != ECONNREFUSED || tries == 100)
			die("connect");
		usleep(50000);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void connections(const struct sockaddr_in *address, double seconds)
{
	unsigned long count = 0;
	double busy = cpu_busy(), start = now(), elapsed;
	do {
		int fd = client_connect(address);
		/* Closed with a reset: no port waits in TIME_WAIT, or they run out. */
		struct linger linger = {.l_onoff = 1};
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		char byte = 'c';
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			die("a short connection");
		close(fd);
		count++;
		elapsed = now() - start;
	} while (elapsed < seconds);
	busy = cpu_busy() - busy;
	printf("{\"connections\": %lu, \"seconds\": %.6f, \"cpu_seconds\": %.2f}\n", count, elapsed, busy);
}

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void responses(const struct sockaddr_in *address, double seconds)
{
	static double sample[SAMPLES_MAX];
	size_t count = 0;
	int fd = client_connect(address);
	char byte = 'r'; /* makes it a connection that lasts */
	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
		die("send");
	double busy = cpu_busy(), start = now(), before = start, after = start;
	while (after - start < seconds && count < SAMPLES_MAX) {
		byte = 'q';
		before = now();
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			die("a request");
		after = now();
		sample[count++] = after - before;
	}
	busy = cpu_busy() - busy;
	close(fd);
	if (!count)
		die("no answers");
	qsort(sample, count, sizeof(*sample), double_compare);
	printf("{\"requests\": %zu, \"seconds\": %.6f, \"median_us\": %.2f, \"p99_us\": %.2f, \"cpu_seconds\": %.2f}\n", count,
	       after - start, sample[count / 2] * 1e6, sample[count * 99 / 100] * 1e6, busy);
}

static void stream(const struct sockaddr_in *address, double seconds)
{
	static char buffer[1 << 17];
	memset(buffer, 's', sizeof(buffer));
	unsigned long long bytes = 0;
	int fd = client_connect(address);
	double busy = cpu_busy(), start = now(), elapsed;
	do {
		ssize_t size = send(fd, buffer, sizeof(buffer), MSG_NOSIGNAL);
		if (size < 0)
			die("send");
		bytes += size;
		elapsed = now() - start;
	} while (elapsed < seconds);
	busy = cpu_busy() - busy;
	close(fd);
	printf("{\"bytes\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.2f}\n", bytes, elapsed, busy);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	bool is_server = argc == 4 && !strcmp(argv[1], "serve");
	if ((!is_server && argc != 5) || inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) {
		fprintf(stderr, "usage: tcp serve ADDRESS PORT | tcp connect|respond|stream ADDRESS PORT SECONDS\n");
		return 2;
	}
	address.sin_port = htons(strtoul(argv[3], NULL, 0));
	if (is_server)
		serve(&address);
	double seconds = strtod(argv[4], NULL);
	if (!strcmp(argv[1], "connect"))
		connections(&address, seconds);
	else if (!strcmp(argv[1], "respond"))
		responses(&address, seconds);
	else
		stream(&address, seconds);
	return 0;
}
