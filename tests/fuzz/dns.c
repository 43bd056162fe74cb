/* SPDX-License-Identifier: Apache-2.0 */
#include "services/dns/dns.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const records[] = {
	"{\"kind\":\"router\",\"vpc\":\"d\",\"project\":\"default\",\"mtu\":1450}",
	"{\"kind\":\"subnet\",\"id\":3,\"name\":\"n\",\"cidr4\":\"10.0.0.0/"
	"24\",\"gateway4\":\"10.0.0.1\",\"dhcp\":true,\"lease\":600,"
	"\"dns\":[],\"domain\":\"c.example\"}",
	"{\"kind\":\"name\",\"address\":\"10.0.0.2\",\"name\":\"w\",\"port\":7}",
};

static struct vd_router_state *state_make(void)
{
	struct vd_router_state *state = vd_router_state_new();
	struct vd_error error;

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		json_t *record = json_loads(records[i], 0, NULL);

		if (vd_router_state_put(state, record, &error) < 0)
			abort();
		json_decref(record);
	}
	return state;
}

static void answer_check(const struct vd_dns_answer *answer, const uint8_t *data, size_t most)
{
	/* Its id, an answer, and no more than the client takes. */
	if (answer->size < 12 || answer->size > most || memcmp(answer->data, data, 2) != 0 || !(answer->data[2] & 0x80))
		abort();
	free(answer->data);
}

/* The input is a query; behind a byte 0xff, what an upstream server might have answered to one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t plain[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, 1, 0, 1};
	static struct vd_router_state *state;
	bool is_upstream = size > 0 && data[0] == 0xff;
	const uint8_t *question = is_upstream ? plain : data;
	struct vd_dns_query *query = NULL;
	struct vd_dns_answer answer;

	if (!state)
		state = state_make();
	if (vd_dns_query_new(question, is_upstream ? sizeof(plain) : size, false, &query) < 0)
		return 0;
	if (is_upstream && vd_dns_query_adopt(query, data + 1, size - 1, &answer) == 0)
		answer_check(&answer, question, 512);
	if (!is_upstream && vd_dns_query_answer(query, state, &answer) == 1)
		answer_check(&answer, question, 4096);
	vd_dns_query_free(query);
	return 0;
}
