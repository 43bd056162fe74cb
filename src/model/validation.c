/* SPDX-License-Identifier: Apache-2.0 */
#include "model/validation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

struct vd_note {
	UT_hash_handle hh;
	uint64_t value;
	char key[];
};

void vd_validation_clear(struct vd_validation *validation)
{
	struct vd_note *note, *next;

	HASH_ITER (hh, validation->notes_taken, note, next) {
		HASH_DEL(validation->notes_taken, note);
		free(note);
	}
	vd_model_free(validation->model);
	validation->model = NULL;
}

static struct vd_note *take_note(struct vd_validation *validation, const char *topic, const char *project, const char *name,
				 bool *ret_new)
{
	char key[32 + VD_NAME_SIZE + VD_IDENTITY_SIZE];
	struct vd_note *note;

	snprintf(key, sizeof(key), "%s %s/%s", topic, project, name);
	HASH_FIND(hh, validation->notes_taken, key, strlen(key), note);
	*ret_new = note == NULL;
	if (note)
		return note;
	note = calloc(1, sizeof(*note) + strlen(key) + 1);
	if (!note)
		return NULL;
	strcpy(note->key, key);
	HASH_ADD_KEYPTR(hh, validation->notes_taken, note->key, strlen(note->key), note);
	return note;
}

bool vd_validation_once(struct vd_validation *validation, const char *topic, const char *project, const char *name)
{
	bool is_new;

	take_note(validation, topic, project, name, &is_new);
	return is_new;
}

int vd_validation_give_id(struct vd_validation *validation, const char *object, uint32_t *ret)
{
	if (*validation->next_id == 0)
		return vd_error_set(validation->error, -ENOSPC, "%s: all 4294967295 ids have been given", object);
	*ret = (*validation->next_id)++;
	return 0;
}

uint64_t *vd_validation_cursor(struct vd_validation *validation, const char *topic, const char *project, const char *name)
{
	bool is_new;
	struct vd_note *note = take_note(validation, topic, project, name, &is_new);

	return note ? &note->value : NULL;
}
