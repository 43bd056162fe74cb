/* SPDX-License-Identifier: Apache-2.0 */
#include "docker/driver.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The daemon's replies come from the input too: it is another process, of another version maybe. */
struct replies {
	const char *text;
	size_t size;
};

static int ask(void *userdata, enum vd_docker_question question, const json_t *arguments, json_t **ret, struct vd_error *error)
{
	const struct replies *replies = userdata;
	json_t *reply = json_loadb(replies->text, replies->size, 0, NULL);

	if (!json_is_object(arguments))
		abort();
	if (!reply)
		return vd_error_set(error, -EIO, "no");
	*ret = reply;
	return 0;
}

static const char *const paths[] = {
	"/Plugin.Activate",
	"/NetworkDriver.CreateNetwork",
	"/NetworkDriver.CreateEndpoint",
	"/NetworkDriver.DeleteEndpoint",
	"/NetworkDriver.Join",
	"/NetworkDriver.ProgramExternalConnectivity",
	"/IpamDriver.RequestPool",
	"/IpamDriver.RequestAddress",
	"/IpamDriver.ReleaseAddress",
	"/IpamDriver.Nonsense",
};

/* The first byte chooses the method, a line is the daemon's reply, the rest is Docker's request. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct replies replies;
	const struct vd_docker_daemon daemon = {ask, &replies};
	const uint8_t *line = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
	unsigned status = 0;
	json_t *answer;

	if (!line)
		return 0;
	replies.text = (const char *)data + 1;
	replies.size = (size_t)(line - data) - 1;
	answer = vd_docker_answer(&daemon, paths[data[0] % (sizeof(paths) / sizeof(paths[0]))], (const char *)line + 1,
				  size - (size_t)(line - data) - 1, &status);
	if (!json_is_object(answer) || !status)
		abort();
	if (status != 200 && !json_string_length(json_object_get(answer, "Err")))
		abort();
	json_decref(answer);
	return 0;
}
