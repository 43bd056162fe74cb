/* SPDX-License-Identifier: Apache-2.0 */
#include "model/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* [-+]? [0-9]+, and the number when it fits. */
static bool is_integer(const char *text, json_int_t *ret)
{
	const char *digits = text + (*text == '-' || *text == '+');

	if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits))
		return false;
	errno = 0;
	*ret = strtoll(text, NULL, 10);
	return errno == 0;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? — without infinities, which JSON has not. */
static bool is_real(const char *text, double *ret)
{
	char *end;

	if (strspn(text, "+-.0123456789eE") != strlen(text) || !strpbrk(text, "0123456789"))
		return false;
	*ret = strtod(text, &end);
	return *end == '\0' && *ret - *ret == 0;
}

json_t *vd_scalar_resolve(const char *text)
{
	static const char *const nothing[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const yes[] = {"true", "True", "TRUE", NULL}, *const no[] = {"false", "False", "FALSE", NULL};
	json_int_t integer;
	double real;

	if (is_one_of(text, nothing))
		return json_null();
	if (is_one_of(text, yes))
		return json_true();
	if (is_one_of(text, no))
		return json_false();
	if (is_integer(text, &integer))
		return json_integer(integer);
	if (is_real(text, &real))
		return json_real(real);
	return json_string(text);
}

bool vd_scalar_is_plain(const char *text)
{
	size_t size = strlen(text);
	json_t *value;
	bool is_text;

	if (size == 0 || !(isalnum((unsigned char)text[0]) || text[0] == '/' || text[0] == '_'))
		return false;
	if (!isalnum((unsigned char)text[size - 1]) && !strchr("/_.-)", text[size - 1]))
		return false;
	for (const char *c = text; *c; c++) {
		if (isalnum((unsigned char)*c) || strchr("/_.-+()", *c))
			continue;
		/* A colon before a space ends a key. */
		if (*c == ' ' || (*c == ':' && c[1] != ' '))
			continue;
		return false;
	}
	value = vd_scalar_resolve(text);
	is_text = json_is_string(value);
	json_decref(value);
	return is_text;
}
