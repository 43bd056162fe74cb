/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ROOT "/viaduct/v1/"
#define ROOT_FACT "fact/"

char *vd_resource_key(enum vd_kind kind, const char *project, const char *name)
{
	char *key;
	int r;

	if (vd_kind_is_fact(kind))
		r = asprintf(&key, ROOT ROOT_FACT "%s/%s/%s", vd_kind_word(kind), project, name);
	else
		r = asprintf(&key, ROOT "%s/%s/%s", project, vd_kind_word(kind), name);
	return r < 0 ? NULL : key;
}

/* Takes the text up to the next slash out of key; NULL when there is none or it is too long. */
static const char *key_part(const char *key, char ret[VD_NAME_SIZE])
{
	const char *slash = strchr(key, '/');

	if (!slash || slash == key || slash - key >= VD_NAME_SIZE)
		return NULL;
	memcpy(ret, key, (size_t)(slash - key));
	ret[slash - key] = '\0';
	return slash + 1;
}

int vd_resource_key_parse(const char *key, enum vd_kind *ret_kind, char ret_project[VD_NAME_SIZE], const char **ret_name)
{
	char first[VD_NAME_SIZE], second[VD_NAME_SIZE];
	const char *project, *word;
	enum vd_kind kind;
	bool fact;

	if (strncmp(key, ROOT, strlen(ROOT)) != 0)
		return -ENOENT;
	key += strlen(ROOT);
	fact = strncmp(key, ROOT_FACT, strlen(ROOT_FACT)) == 0;
	if (fact)
		key += strlen(ROOT_FACT);
	key = key_part(key, first);
	key = key ? key_part(key, second) : NULL;
	if (!key)
		return -ENOENT;
	project = fact ? second : first;
	word = fact ? first : second;
	if (vd_kind_parse(word, fact, &kind) < 0 || vd_kind_is_fact(kind) != fact || strcmp(word, vd_kind_word(kind)) != 0)
		return -ENOENT;
	if (!vd_name_is_valid(project) || vd_project_is_reserved(project))
		return -ENOENT;
	if (vd_kind_naming(kind) == VD_NAMING_GIVEN ? !vd_name_is_valid(key) : strlen(key) >= VD_IDENTITY_SIZE || !strchr(key, '/'))
		return -ENOENT;
	*ret_kind = kind;
	strcpy(ret_project, project);
	*ret_name = key;
	return 0;
}
