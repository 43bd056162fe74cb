/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "model/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *documents(const char *text)
{
	struct vd_error error = {};
	json_t *array = NULL;

	if (vd_documents_parse(text, strlen(text), &array, &error) < 0)
		fail_msg("%s: %s", text, error.text);
	return array;
}

struct vd_changes *change(const struct vd_model *model, const char *text, const char *project, uint32_t next_id)
{
	json_t *array = documents(text);
	struct vd_changes *changes = NULL;
	struct vd_error error = {};

	if (vd_changes_from_documents(model, array, project, next_id, &changes, &error) < 0)
		fail_msg("%s: %s", text, error.text);
	json_decref(array);
	return changes;
}

uint32_t apply_as(struct vd_model *model, const char *text, const char *project, uint32_t next_id)
{
	struct vd_changes *changes = change(model, text, project, next_id);

	assert_int_equal(vd_changes_apply(changes, model), 0);
	next_id = changes->next_id;
	vd_changes_free(changes);
	return next_id;
}

uint32_t apply(struct vd_model *model, const char *text, uint32_t next_id)
{
	return apply_as(model, text, "default", next_id);
}

void assert_assigned(const struct vd_model *model, enum vd_kind kind, const char *project, const char *name, const char *expected)
{
	const struct vd_resource *resource = vd_model_get(model, kind, project, name);
	json_t *assigned;
	char *text;

	assert_non_null(resource);
	assigned = vd_resource_assigned(resource);
	text = json_dumps(assigned, JSON_COMPACT);
	assert_string_equal(text, expected);
	free(text);
	json_decref(assigned);
}

void assert_refused(const struct vd_model *model, const char *text, int code, const char *sentence)
{
	json_t *array = documents(text);
	struct vd_changes *changes = (void *)1;
	struct vd_error error = {};
	int r = vd_changes_from_documents(model, array, "default", 1000, &changes, &error);

	if (r != code)
		fail_msg("%s: %d: %s", text, r, r < 0 ? error.text : "accepted");
	assert_string_equal(error.text, sentence);
	assert_ptr_equal(changes, (void *)1);
	json_decref(array);
}

size_t discard(struct vd_model *model, enum vd_kind kind, const char *name)
{
	const struct vd_identity identity = {kind, "default", name};
	struct vd_changes *changes = NULL;
	struct vd_error error = {};
	size_t count;

	if (vd_changes_from_deletion(model, &identity, 1, &changes, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(vd_changes_apply(changes, model), 0);
	count = changes->count;
	vd_changes_free(changes);
	return count;
}

void assert_not_deleted(const struct vd_model *model, enum vd_kind kind, const char *name, const char *sentence)
{
	const struct vd_identity identity = {kind, "default", name};
	struct vd_changes *changes = (void *)1;
	struct vd_error error = {};

	assert_int_equal(vd_changes_from_deletion(model, &identity, 1, &changes, &error), -EBUSY);
	assert_string_equal(error.text, sentence);
	assert_ptr_equal(changes, (void *)1);
}

struct vd_model *site(void)
{
	struct vd_model *model = vd_model_new();

	assert_non_null(model);
	apply(model,
	      "{kind: network, name: public, role: public, physnet: wan, cidr: 203.0.113.0/24}" AND
	      "{kind: network, name: second, role: public, physnet: wan, vlan: 7, cidr: 198.51.100.0/24}" AND
	      "{kind: network, name: office, role: flat, physnet: lan, cidr: 10.9.0.0/24}" AND
	      "{kind: vpc, name: v, cidr: 192.168.0.0/16, networks: [public, second]}" AND
	      "{kind: vpc, name: w, cidr: 172.16.0.0/16, networks: [public]}" AND
	      "{kind: subnet, name: a, vpc: v, cidr: 192.168.0.0/24}" AND
	      "{kind: subnet, name: b, vpc: v, cidr: 192.168.1.0/24}" AND "{kind: subnet, name: c, vpc: w, cidr: 172.16.0.0/24}" AND
	      "{kind: port, name: p1, subnet: a, address: 192.168.0.2}" AND
	      "{kind: port, name: p2, subnet: a, address: 192.168.0.3}" AND "{kind: port, name: p3, subnet: b}" AND
	      "{kind: port, name: p4, subnet: c}" AND "{kind: port, name: office1, network: office}",
	      1);
	return model;
}
