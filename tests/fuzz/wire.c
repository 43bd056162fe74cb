/* SPDX-License-Identifier: Apache-2.0 */
#include "store/wire.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* What others send: requests to our gateway, answers from an etcd. The first byte chooses which. What can be read is written again. */

/* A request that was read must be one that we write the same way. */
static void requests_read(const char *body, size_t size)
{
	struct vd_wire_range range = {0};
	struct vd_wire_txn txn = {0}, again = {0};
	struct vd_wire_watch watch = {0};
	int64_t number;

	if (!vd_wire_range_decode(body, size, &range, NULL))
		vd_wire_range_clear(&range);
	if (!vd_wire_txn_decode(body, size, &txn, NULL)) {
		VD_FREE char *text = vd_wire_txn_encode(&txn.txn), *twice = NULL;

		if (!text || vd_wire_txn_decode(text, strlen(text), &again, NULL) < 0)
			abort();
		twice = vd_wire_txn_encode(&again.txn);
		if (!twice || strcmp(text, twice))
			abort();
		vd_wire_txn_clear(&again);
		vd_wire_txn_clear(&txn);
	}
	if (!vd_wire_watch_decode(body, size, &watch, NULL)) {
		VD_FREE char *text = vd_wire_watch_encode(watch.prefix, watch.start);

		free(watch.prefix);
		if (!text || vd_wire_watch_decode(text, strlen(text), &watch, NULL) < 0)
			abort();
		vd_wire_watch_clear(&watch);
	}
	for (int type = VD_OPERATION_TYPE_PUT; type <= VD_OPERATION_TYPE_DELETE; type++) {
		txn = (struct vd_wire_txn){0};
		if (!vd_wire_operation_decode((enum vd_operation_type)type, body, size, &txn, NULL))
			vd_wire_txn_clear(&txn);
	}
	vd_wire_number_decode("ID", body, size, &number, NULL);
}

static void answers_read(const char *body, size_t size)
{
	struct vd_kvs *kvs = NULL, *again = NULL;
	struct vd_txn_result *result = NULL;
	struct vd_wire_line line = {0};
	struct vd_error error = {0};
	int64_t number;

	if (!vd_wire_kvs_decode(body, size, &kvs, NULL)) {
		VD_FREE char *text = vd_wire_kvs_encode(kvs);

		if (!text || vd_wire_kvs_decode(text, strlen(text), &again, NULL) < 0 || again->count != kvs->count)
			abort();
		vd_kvs_free(again);
		vd_kvs_free(kvs);
	}
	if (!vd_wire_txn_result_decode(body, size, &result, NULL))
		vd_txn_result_free(result);
	if (!vd_wire_line_decode(body, size, &line, NULL)) {
		free(vd_wire_line_encode(&line));
		vd_wire_line_clear(&line);
	}
	vd_wire_answer_number("TTL", body, size, &number, NULL);
	if (vd_wire_error_decode("fuzz", size % 2 ? 400 : 503, body, size, &error) >= 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] == 'q')
		requests_read((const char *)data + 1, size - 1);
	else
		answers_read((const char *)data + 1, size - 1);
	return 0;
}
