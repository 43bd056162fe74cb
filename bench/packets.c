// SPDX-License-Identifier: Apache-2.0
/*
 * Sends 64-byte packets from one namespace's interface and counts them at another's: one line of JSON.
 * usage: packets FROM-NETNS IFNAME SOURCE DESTINATION-MAC TO-NETNS IFNAME DESTINATION FLOWS FIRST-FLOW SECONDS|=PACKETS [PORT COUNT]
 * SOURCE and DESTINATION are IPv4 addresses; FLOWS 0: each packet a new flow; FLOWS "N/STEP": every STEPth of N follows; FLOWS "socket":
 * one flow, sent as a process does it, by sendmmsg(2), rather than by the XDP generator. With PORT COUNT the flows' destination ports are
 * scattered over COUNT ones from PORT on. The whole run stays on one CPU, softirqs included, so that packets per second are the inverse of
 * what a packet costs from generation to the end.
 */
#include "packets.skel.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_SIZE 64
#define WARM_UP 65536
#define BATCH 64 /* packets a sendmmsg(2) */
#define SOCKET_PORT 10000
#define DESTINATION_PORT_FIRST 10000
#define DESTINATION_PORT_COUNT 20000
#define CPU_MAX 1024

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "packets: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void netns_enter(const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(path);
	close(fd);
}

static unsigned link_index(const char *name)
{
	unsigned ifindex = if_nametoindex(name);
	if (!ifindex)
		die(name);
	return ifindex;
}

static void link_mac(const char *name, unsigned char mac[6])
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		die(name);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	close(fd);
}

/* Seconds that all CPUs were busy since boot, as ticks tell it. */
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

static unsigned long long received_sum(const struct packets_bpf *skeleton)
{
	static unsigned long long value[CPU_MAX];
	unsigned zero = 0;
	if (libbpf_num_possible_cpus() > CPU_MAX || bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.received), &zero, value) < 0)
		die("map received");
	unsigned long long sum = 0;
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		sum += value[cpu];
	return sum;
}

/* Attaches the counter, or replaces that of an earlier run. */
static void counter_attach(const struct packets_bpf *skeleton, unsigned ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = 1, .flags = BPF_TC_F_REPLACE,
		    .prog_fd = bpf_program__fd(skeleton->progs.count));
	/* libbpf prints what the kernel says of a clsact that is there already. */
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	int code = bpf_tc_hook_create(&hook);
	libbpf_set_print(print);
	if (code < 0 && code != -EEXIST)
		die("clsact");
	if (bpf_tc_attach(&hook, &options) < 0)
		die("attach the counter");
}

static void header_fill(struct packets_bpf *skeleton, int argc, char **argv)
{
	struct ether_addr *destination_mac = ether_aton(argv[4]);
	unsigned char *header = skeleton->bss->header;
	if (!destination_mac)
		die(argv[4]);
	memcpy(header, destination_mac, 6);
	link_mac(argv[2], header + 6);
	static const unsigned char fixed[] = {0x08, 0x00, 0x45, 0, 0, FRAME_SIZE - 14, 0, 0, 0x40, 0, 64, 17, 0, 0};
	memcpy(header + 12, fixed, sizeof(fixed));
	if (inet_pton(AF_INET, argv[3], header + 26) != 1 || inet_pton(AF_INET, argv[7], header + 30) != 1)
		die("an address");
	unsigned sum = 0;
	for (int i = 14; i < 34; i += 2)
		sum += header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	header[24] = sum >> 8;
	header[25] = sum;
	char *end;
	skeleton->bss->flow_count = strtoul(argv[8], &end, 0);
	skeleton->bss->flow_step = *end == '/' ? strtoul(end + 1, NULL, 0) : 1;
	skeleton->bss->flow_first = strtoul(argv[9], NULL, 0);
	skeleton->bss->scatter = argc == 13;
	skeleton->bss->destination_first = argc == 13 ? strtoul(argv[11], NULL, 0) : DESTINATION_PORT_FIRST;
	skeleton->bss->destination_count = argc == 13 ? strtoul(argv[12], NULL, 0) : DESTINATION_PORT_COUNT;
}

/*
 * Sends the packets in one call and returns the seconds that it took, as the kernel measured them: taking the call's page pool down
 * waits some ten milliseconds, which must not count.
 */
static double generate(const struct packets_bpf *skeleton, unsigned ifindex, unsigned packets)
{
	unsigned char frame[FRAME_SIZE] = {0};
	struct xdp_md context = {.data_end = sizeof(frame), .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = packets, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	if (bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.generate), &options) < 0)
		die("run the generator");
	return packets * (double)options.duration / 1e9;
}

/* The same by a process of the instance: what its own kernel does to send counts too. Returns the seconds. */
static double socket_send(const char *destination, unsigned packets)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(SOCKET_PORT)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || inet_pton(AF_INET, destination, &address.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("socket");
	static char payload[FRAME_SIZE - 42];
	struct iovec vector = {payload, sizeof(payload)};
	struct mmsghdr message[BATCH] = {0};
	for (size_t i = 0; i < BATCH; i++)
		message[i].msg_hdr = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1};
	struct timespec start, end;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned sent = 0; sent < packets; sent += BATCH)
		if (sendmmsg(fd, message, BATCH, 0) < 0)
			die("sendmmsg");
	clock_gettime(CLOCK_MONOTONIC, &end);
	close(fd);
	return end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
}

static double load_send(const struct packets_bpf *skeleton, unsigned ifindex, char **argv, unsigned packets)
{
	return !strcmp(argv[8], "socket") ? socket_send(argv[7], packets) : generate(skeleton, ifindex, packets);
}

int main(int argc, char **argv)
{
	if (argc != 11 && argc != 13) {
		fprintf(stderr,
			"usage: packets FROM-NETNS IFNAME SOURCE DESTINATION-MAC TO-NETNS IFNAME DESTINATION FLOWS FIRST-FLOW "
			"SECONDS|=PACKETS [PORT COUNT]\n");
		return 2;
	}
	struct packets_bpf *skeleton = packets_bpf__open_and_load();
	if (!skeleton)
		die("load");
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		die("pin to CPU 0");

	netns_enter(argv[5]);
	counter_attach(skeleton, link_index(argv[6]));
	netns_enter(argv[1]);
	unsigned ifindex = link_index(argv[2]);
	header_fill(skeleton, argc, argv);

	unsigned long long packets = argv[10][0] == '=' ? strtoull(argv[10] + 1, NULL, 0) : 0;
	double seconds = packets ? 0 : strtod(argv[10], NULL);
	if (!packets) {
		double warm_up = load_send(skeleton, ifindex, argv, WARM_UP);
		packets = seconds / warm_up * WARM_UP / BATCH * BATCH;
	}
	unsigned long long before = received_sum(skeleton);
	double busy = cpu_busy(), elapsed = load_send(skeleton, ifindex, argv, packets);
	unsigned long long received = received_sum(skeleton) - before;
	busy = cpu_busy() - busy;
	printf("{\"sent\": %llu, \"received\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.2f}\n", packets, received, elapsed,
	       busy);
	packets_bpf__destroy(skeleton);
	return 0;
}
