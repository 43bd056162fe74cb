/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CLIENT_TEXT_TABLE_H
#define VD_CLIENT_TEXT_TABLE_H

#include <jansson.h>
#include <stdio.h>

/* Columns for people: as wide as what is in them, two spaces apart, the last one as long as it is. */
struct vd_text_table;

struct vd_text_table *vd_text_table_new(size_t columns, const char *const *headers);
void vd_text_table_free(struct vd_text_table *table);
/* Copies the texts; NULL or "" is shown as "-". 0 or -ENOMEM. */
int vd_text_table_add(struct vd_text_table *table, const char *const *cells);
/* Headers (unless there is no row) and rows. */
void vd_text_table_print(const struct vd_text_table *table, FILE *file);
/* One more row in the widths of the table printed before. */
void vd_text_table_print_row(const struct vd_text_table *table, const char *const *cells, FILE *file);

/*
 * What a path like "assigned.addresses" leads to, as text: lists with commas, objects as "key value". Several paths may be given,
 * separated by '|': the first that is there. "" when none is. A string to free.
 */
char *vd_json_text(const json_t *object, const char *path);

#endif
