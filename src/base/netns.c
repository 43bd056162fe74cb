/* SPDX-License-Identifier: Apache-2.0 */
#include "base/netns.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

struct job {
	int fd;
	int (*work)(void *userdata);
	void *userdata;
	int result;
};

static void *run_job(void *data)
{
	struct job *job = data;

	if ((job->fd < 0 ? unshare(CLONE_NEWNET) : setns(job->fd, CLONE_NEWNET)) < 0)
		job->result = -errno;
	else
		job->result = job->work(job->userdata);
	return NULL;
}

int vd_netns_run(int fd, int (*work)(void *userdata), void *userdata)
{
	struct job job = {.fd = fd, .work = work, .userdata = userdata};
	pthread_t thread;
	int result = pthread_create(&thread, NULL, run_job, &job);

	if (result)
		return -result;
	pthread_join(thread, NULL);
	return job.result;
}
