/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VD_MODEL_FIELD_H
#define VD_MODEL_FIELD_H

#include "model/resource.h"

/*
 * What a kind's documents may say: one row per field. Reading, writing, comparing, copying and freeing a resource, the references
 * between resources, and what the CLI explains of a kind all follow these rows.
 */
enum vd_field_type {
	VD_FIELD_TYPE_BOOL,      /* bool */
	VD_FIELD_TYPE_NUMBER,    /* uint32_t */
	VD_FIELD_TYPE_NUMBER64,  /* uint64_t */
	VD_FIELD_TYPE_WORD,      /* an enum counted from 1; words names its values */
	VD_FIELD_TYPE_TEXT,      /* char *, NULL when not given */
	VD_FIELD_TYPE_BUFFER,    /* char [max], "" when not given */
	VD_FIELD_TYPE_NAME,      /* char *, a resource's name */
	VD_FIELD_TYPE_ADDRESS,   /* struct vd_address */
	VD_FIELD_TYPE_PREFIX,    /* struct vd_prefix, normalised */
	VD_FIELD_TYPE_MAC,       /* struct vd_mac */
	VD_FIELD_TYPE_VNI_RANGE, /* two uint32_t: start, end */
	VD_FIELD_TYPE_NEXT_HOP,  /* struct vd_next_hop */
	VD_FIELD_TYPE_CORES,     /* uint32_t, thousandths; 0.5 in documents */
	VD_FIELD_TYPE_MEMORY,    /* uint64_t, bytes; 64M in documents */
	VD_FIELD_TYPE_PORTS,     /* two uint32_t: first, last; 0, 0: all */
	VD_FIELD_TYPE_ICMP_TYPE, /* int32_t; -1: all */
	VD_FIELD_TYPE_NETMASK,   /* uint32_t, bits; 255.0.0.0 in documents */
	VD_FIELD_TYPE_NAMES,     /* char **, and the types below: a pointer, and a size_t at count_offset */
	VD_FIELD_TYPE_ADDRESSES,
	VD_FIELD_TYPE_PREFIXES,
	VD_FIELD_TYPE_RANGES,       /* struct vd_address_range */
	VD_FIELD_TYPE_TEXTS,        /* char ** */
	VD_FIELD_TYPE_GATEWAYS,     /* struct vd_address; "none" is one of no family */
	VD_FIELD_TYPE_VPC_NETWORKS, /* struct vd_vpc_network; each of them names a resource of the kind "reference" */
	VD_FIELD_TYPE_UPLINKS,      /* struct vd_uplink */
	VD_FIELD_TYPE_OCCUPIED,     /* struct vd_occupied */
	VD_FIELD_TYPE_TRANSLATIONS, /* struct vd_translation */
};

/* Where a kind's resources have their names from. */
enum vd_naming {
	VD_NAMING_GIVEN,
	VD_NAMING_OPTIONAL, /* given, or made of what the document says */
	VD_NAMING_DERIVED,  /* made of what the document says; none can be given */
};

struct vd_field {
	const char *name;     /* in documents; NULL: kept in the struct only */
	const char *singular; /* how a list of one may be called; NULL: no list. Without a name: what sentences call it */
	enum vd_field_type type;
	bool required;
	bool is_assigned;  /* given by allocation: stands in "assigned", never in documents */
	bool is_reference; /* names resources of the kind below */
	enum vd_kind reference;
	size_t offset, count_offset; /* in the kind's struct */
	uint32_t min, max;           /* of a number; max: the items of a list, the bytes of a text; both 0: no limit */
	const char *value;           /* the default, as text; NULL: none */
	const char *const *words;    /* of a WORD, NULL at the end */
	const char *help;            /* one sentence */
	/* Where one member of the struct has two names in documents: whether this one is in use. NULL: always. */
	bool (*applies)(const struct vd_resource *resource);
};

/* The rows of a kind, without "kind" and the fields that every user's kind has. */
const struct vd_field *vd_kind_fields(enum vd_kind kind, size_t *count);
/* "name", "project" and "description"; of the name see vd_kind_naming(). */
const struct vd_field *vd_common_fields(size_t *count);
enum vd_naming vd_kind_naming(enum vd_kind kind);
/* One sentence: what the kind is. */
const char *vd_kind_help(enum vd_kind kind);
/* "a list of CIDRs like 192.168.0.0/24": what a value must be, for sentences. */
const char *vd_field_type_text(enum vd_field_type type);

#endif
