/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_VERSION_H
#define VD_DATAPATH_VERSION_H

#include "base/error.h"
#include "datapath/program.h"

/*
 * The directories below the pin directory: one per build, "<sequence>-<build>", complete from the moment it has that name; the
 * highest sequence is the current one. A build in the making stands in "making".
 */
struct vd_version {
	uint64_t sequence;
	char build[VD_BUILD_TEXT];
	char *path;
};

struct vd_versions {
	struct vd_version *items; /* by sequence: the last is current */
	size_t count;
};

void vd_versions_done(struct vd_versions *versions);
#define VD_VERSIONS VD_CLEANUP(vd_versions_done)

/* Makes pin_directory when it is missing; -EMEDIUMTYPE when that is not on a bpffs. */
int vd_version_directory_ensure(const char *pin_directory, struct vd_error *error);
/* No pin_directory: none. */
int vd_versions_list(const char *pin_directory, struct vd_versions *ret, struct vd_error *error);
/* "<pin_directory>/making", to be freed; NULL without memory. */
char *vd_version_making(const char *pin_directory);
/* Gives the build in the making its name: from here on it is current. */
int vd_version_publish(const char *pin_directory, uint64_t sequence, const char *build, struct vd_error *error);
/* Unpins everything in a directory and removes it; one that is not there is success. */
int vd_version_remove(const char *path, struct vd_error *error);

#endif
