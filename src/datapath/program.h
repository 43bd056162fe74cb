/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_DATAPATH_PROGRAM_H
#define VD_DATAPATH_PROGRAM_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_object;

/* The programs of an object, by the name of their function: X(ENUMERATOR, name). */
#define VD_FUNCTIONS(X) \
	X(PORT, "vd_port_ingress") \
	X(OVERLAY, "vd_overlay_ingress") \
	X(UPLINK, "vd_uplink_ingress") \
	X(UPLINK_DECIDE, "vd_uplink_decide") \
	X(DECIDE, "vd_decide") \
	X(NEIGHBOUR, "vd_answer") \
	X(EXPIRE, "vd_expire_start")

enum vd_function {
#define X(enumerator, ...) VD_FUNCTION_##enumerator,
	VD_FUNCTIONS(X)
#undef X
		VD_FUNCTION_COUNT,
};

const char *vd_function_name(enum vd_function function);

/* A compiled object file in memory. */
struct vd_object {
	const void *bytes;
	size_t size;
};

/* The one that this binary carries. */
struct vd_object vd_object_embedded(void);

/* What is fixed when an object is loaded; another value is another build. */
struct vd_program_settings {
	uint32_t overlay_ifindex;
	uint32_t flow_entries, flow6_entries, connection_entries;
};

#define VD_BUILD_TEXT 17
/* Names an object with its settings: equal builds may adopt each other's maps and programs as they stand. */
void vd_program_build(const struct vd_object *object, const struct vd_program_settings *settings, char ret[VD_BUILD_TEXT]);

/*
 * Loads the object. Maps that stand pinned in directory (NULL: none) under their name and with our definition are shared, but for
 * the private ones; with tracing it is the copy without side effects, and every map must be there. The caller closes it.
 */
int vd_program_load(const struct vd_object *object, const struct vd_program_settings *settings, const char *directory, bool tracing,
		    struct bpf_object **ret, struct vd_error *error);
/* Pins every map and program of a loaded object in directory. */
int vd_program_pin(struct bpf_object *object, const char *directory, struct vd_error *error);

/*
 * Runs vd_expire_start: from here on a timer in the kernel lets idle connections expire, by this build. Again is no harm. A moment's
 * want of memory is waited out (datapath/memory.h).
 */
int vd_program_expiry_start(int program_fd);

/*
 * The program on an interface's ingress: a clsact filter of priority and handle of our own. Attaching replaces what stands there in
 * one step. -ENODEV: the interface is gone.
 */
int vd_program_attach(uint32_t ifindex, int program_fd);
/* The id of the program that our filter runs; -ENOENT: no filter. */
int vd_program_attached(uint32_t ifindex, uint32_t *ret_id);
/* What is gone already is success. */
int vd_program_detach(uint32_t ifindex);
int vd_program_id(int program_fd, uint32_t *ret);

#endif
