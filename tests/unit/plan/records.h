/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_PLAN_RECORDS_H
#define TESTS_UNIT_PLAN_RECORDS_H

#include "plan/plan.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Records to test with, short to write. */

static inline struct vd_plan_record endpoint(uint32_t domain, const char *address, uint32_t port)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ENDPOINT);
	record.endpoint.domain = domain;
	assert_int_equal(vd_address_parse(address, &record.endpoint.address), 0);
	record.endpoint.port = port;
	record.endpoint.place = VD_PLAN_PLACE_HERE;
	return record;
}

static inline struct vd_plan_record route(uint32_t domain, uint32_t table, const char *destination)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_ROUTE);
	record.route.domain = domain;
	record.route.table = table;
	assert_int_equal(vd_prefix_parse(destination, &record.route.destination), 0);
	record.route.type = VD_PLAN_ROUTE_TYPE_BLACKHOLE;
	return record;
}

static inline struct vd_plan_record name(uint32_t domain, const char *address)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_NAME);
	record.name.domain = domain;
	assert_int_equal(vd_address_parse(address, &record.name.address), 0);
	strcpy(record.name.name, "ecs1");
	return record;
}

static inline struct vd_plan_record domain(uint32_t id, uint32_t mtu)
{
	struct vd_plan_record record;

	vd_plan_record_init(&record, VD_PLAN_KIND_DOMAIN);
	record.domain.domain = id;
	record.domain.mtu = mtu;
	strcpy(record.domain.name, "demo");
	return record;
}

/* What print writes into a file, as a string; free it with free(). */
#define TEXT_OF(call) \
	({ \
		char *written = NULL; \
		size_t length = 0; \
		FILE *file = open_memstream(&written, &length); \
		assert_non_null(file); \
		call; \
		fclose(file); \
		written; \
	})

#endif
