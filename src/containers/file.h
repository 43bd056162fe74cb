/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_CONTAINERS_FILE_H
#define VD_CONTAINERS_FILE_H

#include "containers/journal.h"

/*
 * The journal's file: SQLite, in the run directory. It is never synced: what a process wrote the kernel keeps when that process dies, and
 * a machine that dies takes the containers along.
 */
struct vd_journal_file;

/* As vd_journal_open. */
int vd_journal_file_open(const char *path, const char *boot_id, struct vd_journal_file **ret, struct vd_error *error);
void vd_journal_file_close(struct vd_journal_file *journal);
void vd_journal_file_delete(const char *path);

/* row takes the container's strings over. */
int vd_journal_file_rows(struct vd_journal_file *journal, int (*row)(struct vd_container *container, void *userdata),
			 void *userdata, struct vd_error *error);
/* What was given last of a block; the id of a port: domain 0. */
int vd_journal_file_lasts(struct vd_journal_file *journal,
			  int (*last)(uint32_t domain, const char *block, const char *given, void *userdata), void *userdata,
			  struct vd_error *error);

/* What is between these is done whole or, when r is not 0 or the end fails, not at all; the end returns which. */
int vd_journal_file_begin(struct vd_journal_file *journal, struct vd_error *error);
int vd_journal_file_end(struct vd_journal_file *journal, int r, struct vd_error *error);
/* -EADDRINUSE when another key has one of the addresses. */
int vd_journal_file_put(struct vd_journal_file *journal, const struct vd_container *container, struct vd_error *error);
int vd_journal_file_remove(struct vd_journal_file *journal, const char *key, struct vd_error *error);
int vd_journal_file_last(struct vd_journal_file *journal, uint32_t domain, const char *block, const char *given,
			 struct vd_error *error);

#endif
