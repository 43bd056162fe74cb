/* SPDX-License-Identifier: Apache-2.0 */
#include "services/metadata/metadata.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vd_router_state *state_make(void)
{
	struct vd_router_state *state = vd_router_state_new();
	json_t *record = json_loads(
		"{\"kind\":\"port\",\"id\":7,\"name\":\"w\",\"mac\":\"02:00:00:00:00:07\",\"subnet\":3,"
		"\"addresses\":[\"10.0.0.2/24\"],\"default\":true,\"mtu\":1450,\"user_data\":\"u\",\"ssh_keys\":[\"a\",\"b\"]}",
		0, NULL);
	struct vd_error error;

	if (vd_router_state_put(state, record, &error) < 0)
		abort();
	json_decref(record);
	return state;
}

/* Any path gets 200 or 404, from the instance and from a stranger; the stranger only 404. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vd_router_state *state;
	struct vd_address addresses[2];
	struct vd_metadata answer;
	char *path = malloc(size + 1);

	if (!state)
		state = state_make();
	memcpy(path, data, size);
	path[size] = '\0';
	vd_address_parse("10.0.0.2", &addresses[0]);
	vd_address_parse("10.0.0.3", &addresses[1]);
	for (size_t i = 0; i < 2; i++) {
		if (vd_metadata_get(state, &addresses[i], path, &answer) < 0)
			abort();
		if (answer.status != 404 && (answer.status != 200 || i == 1))
			abort();
		free(answer.body);
	}
	free(path);
	return 0;
}
