/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"

#include "base/cleanup.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define MEMBERS_MAX 3
#define READY_SECONDS 60

struct member {
	char name[32], client[48], peer[48], url[64];
	pid_t pid; /* 0: not running */
};

struct cluster {
	char directory[64], initial[256], url[256];
	struct member members[MEMBERS_MAX];
	size_t count;
};

/*
 * Held by the socket, which the caller closes when all ports are chosen, so that none is twice. Another process may take it then, before
 * etcd does: etcd does not start, and the test says so.
 */
static uint16_t free_port(int *ret_fd)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	*ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*ret_fd < 0 || bind(*ret_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockname(*ret_fd, (struct sockaddr *)&address, &size) < 0)
		return 0;
	return ntohs(address.sin_port);
}

static void member_exec(const struct cluster *cluster, const struct member *member)
{
	char data[128], log[128];
	int fd;

	snprintf(data, sizeof(data), "%s/%s", cluster->directory, member->name);
	snprintf(log, sizeof(log), "%s/%s.log", cluster->directory, member->name);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Heartbeat and election for a machine that is busy with other tests. */
	execlp("etcd", "etcd", "--name", member->name, "--data-dir", data, "--listen-client-urls", member->client,
	       "--advertise-client-urls", member->client, "--listen-peer-urls", member->peer, "--initial-advertise-peer-urls",
	       member->peer, "--initial-cluster", cluster->initial, "--heartbeat-interval", "100", "--election-timeout", "1000",
	       "--logger", "zap", "--unsafe-no-fsync", NULL);
	_exit(127);
}

bool cluster_start(struct cluster *cluster, size_t member)
{
	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (!pid)
		member_exec(cluster, &cluster->members[member]);
	cluster->members[member].pid = pid;
	return true;
}

void cluster_kill(struct cluster *cluster, size_t member)
{
	struct member *killed = &cluster->members[member];

	if (!killed->pid)
		return;
	kill(killed->pid, SIGKILL);
	waitpid(killed->pid, NULL, 0);
	killed->pid = 0;
}

void cluster_freeze(struct cluster *cluster, size_t member, bool frozen)
{
	kill(cluster->members[member].pid, frozen ? SIGSTOP : SIGCONT);
}

const char *cluster_url(const struct cluster *cluster)
{
	return cluster->url;
}

const char *cluster_member_url(const struct cluster *cluster, size_t member)
{
	return cluster->members[member].url;
}

int cluster_leader(struct cluster *cluster)
{
	for (size_t i = 0; i < cluster->count; i++) {
		char command[256], answer[4096] = "", *leader, *member;
		FILE *stream;

		if (!cluster->members[i].pid)
			continue;
		snprintf(command, sizeof(command), "ETCDCTL_API=3 etcdctl --endpoints %s endpoint status -w json 2>/dev/null",
			 cluster->members[i].client);
		stream = popen(command, "r");
		if (stream && !fgets(answer, sizeof(answer), stream))
			answer[0] = '\0';
		if (stream)
			pclose(stream);
		member = strstr(answer, "\"member_id\":");
		leader = strstr(answer, "\"leader\":");
		if (member && leader && strtoull(member + 12, NULL, 10) == strtoull(leader + 9, NULL, 10))
			return (int)i;
	}
	return -1;
}

static bool member_ready(const struct member *member)
{
	struct vd_store_options options = {.insecure = true};
	struct vd_store *store;
	struct vd_kvs *kvs = NULL;
	bool ready;

	if (vd_store_open(member->url, &options, &store, NULL) < 0)
		return false;
	ready = vd_store_range(store, "/ready", false, 0, 0, &kvs, NULL) == 0;
	vd_kvs_free(kvs);
	vd_store_close(store);
	return ready;
}

static bool cluster_wait(struct cluster *cluster)
{
	time_t deadline = time(NULL) + READY_SECONDS;

	for (size_t i = 0; i < cluster->count;) {
		if (member_ready(&cluster->members[i])) {
			i++;
			continue;
		}
		if (time(NULL) > deadline) {
			fprintf(stderr, "etcd did not get ready; its log is in %s\n", cluster->directory);
			return false;
		}
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	}
	return true;
}

struct cluster *cluster_new(size_t members)
{
	struct cluster *cluster = calloc(1, sizeof(*cluster));
	int held[2 * MEMBERS_MAX];

	if (!cluster)
		return NULL;
	cluster->count = members;
	snprintf(cluster->directory, sizeof(cluster->directory), "/tmp/vd-test-etcd.XXXXXX");
	if (!mkdtemp(cluster->directory)) {
		free(cluster);
		return NULL;
	}
	for (size_t i = 0; i < members; i++) {
		struct member *member = &cluster->members[i];
		uint16_t port = free_port(&held[2 * i]);
		size_t size = strlen(cluster->initial), url_size = strlen(cluster->url);

		snprintf(member->name, sizeof(member->name), "m%zu", i);
		snprintf(member->client, sizeof(member->client), "http://127.0.0.1:%u", port);
		snprintf(member->url, sizeof(member->url), "etcd://127.0.0.1:%u", port);
		snprintf(cluster->url + url_size, sizeof(cluster->url) - url_size, "%s127.0.0.1:%u", i ? "," : "etcd://", port);
		snprintf(member->peer, sizeof(member->peer), "http://127.0.0.1:%u", free_port(&held[2 * i + 1]));
		snprintf(cluster->initial + size, sizeof(cluster->initial) - size, "%s%s=%s", i ? "," : "", member->name,
			 member->peer);
	}
	for (size_t i = 0; i < 2 * members; i++)
		close(held[i]);
	for (size_t i = 0; i < members; i++)
		cluster_start(cluster, i);
	if (!cluster_wait(cluster)) {
		for (size_t i = 0; i < members; i++)
			cluster_kill(cluster, i);
		free(cluster);
		return NULL;
	}
	return cluster;
}

void cluster_free(struct cluster *cluster)
{
	char command[96];

	for (size_t i = 0; i < cluster->count; i++)
		cluster_kill(cluster, i);
	snprintf(command, sizeof(command), "rm -rf %s", cluster->directory);
	if (system(command))
		fprintf(stderr, "%s failed\n", command);
	free(cluster);
}
