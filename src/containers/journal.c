/* SPDX-License-Identifier: Apache-2.0 */
#include "containers/journal.h"

#include "base/cleanup.h"
#include "containers/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What addresses and blocks are found by, as bytes: nothing in it is padding. */
struct place {
	uint32_t domain;
	struct vd_prefix prefix;
	uint16_t zero;
};

_Static_assert(sizeof(struct place) == 24, "padding would be compared too");

struct taken {
	struct place place;
	struct row *row;
	UT_hash_handle hh;
};

struct row {
	struct vd_container container;
	struct taken taken[VD_CONTAINER_ADDRESSES];
	UT_hash_handle hh, hh_port;
};

struct last {
	struct place place;
	struct vd_address given;
	UT_hash_handle hh;
};

struct vd_journal {
	struct vd_journal_file *file;
	struct row *rows, *ports;
	struct taken *taken;
	struct last *lasts;
	uint32_t port; /* given last */
};

VD_DEFINE_CLEANUP(struct vd_journal, vd_journal_close)

static struct place place_of(uint32_t domain, const struct vd_prefix *prefix)
{
	struct place place = {.domain = domain, .prefix = *prefix};

	vd_prefix_normalise(&place.prefix);
	return place;
}

static struct place place_of_address(uint32_t domain, const struct vd_address *address)
{
	struct vd_prefix prefix = vd_prefix_of_address(address);

	return place_of(domain, &prefix);
}

/* ---- in memory ---- */

static void row_drop(struct vd_journal *journal, struct row *row)
{
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++)
		if (row->taken[i].row)
			HASH_DEL(journal->taken, &row->taken[i]);
	if (row->container.port)
		HASH_DELETE(hh_port, journal->ports, row);
	HASH_DELETE(hh, journal->rows, row);
	vd_container_clear(&row->container);
	free(row);
}

/* Takes the container's strings over. */
static int row_keep(struct vd_journal *journal, struct vd_container *container)
{
	struct row *row = calloc(1, sizeof(*row)), *old;

	if (!row) {
		vd_container_clear(container);
		return -ENOMEM;
	}
	HASH_FIND(hh, journal->rows, container->key, strlen(container->key), old);
	if (old)
		row_drop(journal, old);
	row->container = *container;
	HASH_ADD_KEYPTR(hh, journal->rows, row->container.key, strlen(row->container.key), row);
	if (row->container.port)
		HASH_ADD(hh_port, journal->ports, container.port, sizeof(row->container.port), row);
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++) {
		const struct vd_address *address = &row->container.addresses[i].prefix.address;

		if (address->family == VD_FAMILY_NONE)
			continue;
		row->taken[i].row = row;
		row->taken[i].place = place_of_address(row->container.domain, address);
		HASH_ADD(hh, journal->taken, place, sizeof(row->taken[i].place), &row->taken[i]);
	}
	return 0;
}

static int last_keep(struct vd_journal *journal, const struct place *place, const struct vd_address *given)
{
	struct last *last;

	HASH_FIND(hh, journal->lasts, place, sizeof(*place), last);
	if (!last) {
		last = calloc(1, sizeof(*last));
		if (!last)
			return -ENOMEM;
		last->place = *place;
		HASH_ADD(hh, journal->lasts, place, sizeof(last->place), last);
	}
	last->given = *given;
	return 0;
}

static int row_take(struct vd_container *container, void *userdata)
{
	return row_keep(userdata, container);
}

static int last_take(uint32_t domain, const char *block_text, const char *given, void *userdata)
{
	struct vd_journal *journal = userdata;
	struct vd_address address;
	struct vd_prefix block;
	struct place place;

	if (!domain) {
		journal->port = (uint32_t)strtoul(given, NULL, 10);
		return 0;
	}
	if (vd_prefix_parse(block_text, &block) < 0 || vd_address_parse(given, &address) < 0)
		return 0;
	place = place_of(domain, &block);
	return last_keep(journal, &place, &address);
}

int vd_journal_open(const char *path, const char *boot_id, struct vd_journal **ret, struct vd_error *error)
{
	VD_CLEANUP(vd_journal_close_cleanup) struct vd_journal *journal = calloc(1, sizeof(*journal));
	int r = journal ? vd_journal_file_open(path, boot_id, &journal->file, error) : -ENOMEM;

	if (r == 0)
		r = vd_journal_file_rows(journal->file, row_take, journal, error);
	if (r == 0)
		r = vd_journal_file_lasts(journal->file, last_take, journal, error);
	if (r < 0)
		return r;
	*ret = VD_TAKE(journal);
	return 0;
}

void vd_journal_close(struct vd_journal *journal)
{
	struct row *row, *next_row;
	struct last *last, *next_last;

	if (!journal)
		return;
	vd_journal_file_close(journal->file);
	HASH_ITER (hh, journal->rows, row, next_row)
		row_drop(journal, row);
	HASH_ITER (hh, journal->lasts, last, next_last) {
		HASH_DEL(journal->lasts, last);
		free(last);
	}
	free(journal);
}

void vd_journal_delete(const char *path)
{
	vd_journal_file_delete(path);
}

/* ---- questions ---- */

bool vd_journal_is_empty(const struct vd_journal *journal)
{
	return !journal->rows;
}

const struct vd_container *vd_journal_find(const struct vd_journal *journal, const char *key)
{
	struct row *row;

	HASH_FIND(hh, journal->rows, key, strlen(key), row);
	return row ? &row->container : NULL;
}

const struct vd_container *vd_journal_find_port(const struct vd_journal *journal, uint32_t port)
{
	struct row *row;

	HASH_FIND(hh_port, journal->ports, &port, sizeof(port), row);
	return row ? &row->container : NULL;
}

const struct vd_container *vd_journal_find_address(const struct vd_journal *journal, uint32_t domain,
						   const struct vd_address *address)
{
	struct place place = place_of_address(domain, address);
	struct taken *taken;

	HASH_FIND(hh, journal->taken, &place, sizeof(place), taken);
	return taken ? &taken->row->container : NULL;
}

int vd_journal_each(struct vd_journal *journal, int (*visit)(const struct vd_container *container, void *userdata), void *userdata)
{
	struct row *row, *next;
	int r = 0;

	HASH_ITER (hh, journal->rows, row, next) {
		r = visit(&row->container, userdata);
		if (r)
			break;
	}
	return r;
}

struct vd_address vd_journal_last(const struct vd_journal *journal, uint32_t domain, const struct vd_prefix *block)
{
	struct place place = place_of(domain, block);
	struct last *last;

	HASH_FIND(hh, journal->lasts, &place, sizeof(place), last);
	return last ? last->given : (struct vd_address){0};
}

uint32_t vd_journal_port_choose(struct vd_journal *journal)
{
	uint32_t port = journal->port;

	do
		port = (port + 1) | VD_CONTAINER_PORT;
	while (port == UINT32_MAX || vd_journal_find_port(journal, port));
	return port;
}

/* ---- what was given last ---- */

/* What a new row was given is what comes last. */
static int lasts_write(struct vd_journal *journal, const struct vd_container *container, struct vd_error *error)
{
	char block[VD_PREFIX_TEXT], given[VD_ADDRESS_TEXT];
	int r = 0;

	if (container->port & VD_CONTAINER_PORT) {
		snprintf(given, sizeof(given), "%u", container->port);
		r = vd_journal_file_last(journal->file, 0, "", given, error);
	}
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++) {
		const struct vd_prefix *prefix = &container->addresses[i].prefix;
		struct place place = place_of(container->domain, prefix);

		if (prefix->address.family != VD_FAMILY_NONE && !container->addresses[i].moved)
			r = vd_journal_file_last(journal->file, container->domain, vd_prefix_format(&place.prefix, block),
						 vd_address_format(&prefix->address, given), error);
	}
	return r;
}

static int lasts_keep(struct vd_journal *journal, const struct vd_container *container)
{
	int r = 0;

	if (container->port & VD_CONTAINER_PORT)
		journal->port = container->port;
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++) {
		const struct vd_prefix *prefix = &container->addresses[i].prefix;
		struct place place = place_of(container->domain, prefix);

		if (prefix->address.family != VD_FAMILY_NONE && !container->addresses[i].moved)
			r = last_keep(journal, &place, &prefix->address);
	}
	return r;
}

/* ---- reservations that a container takes, and leaves ---- */

static struct row *row_find(const struct vd_journal *journal, const char *key)
{
	struct row *row;

	HASH_FIND(hh, journal->rows, key, strlen(key), row);
	return row;
}

/* The reservation that the address says, if it holds that address. */
static struct row *reservation_find(const struct vd_journal *journal, uint32_t domain, const struct vd_container_address *address)
{
	struct row *row = address->reserved ? row_find(journal, address->reserved) : NULL;

	return row && row->container.state == VD_CONTAINER_STATE_RESERVED && row->container.domain == domain &&
			       vd_address_equal(&row->container.addresses[0].prefix.address, &address->prefix.address)
		       ? row
		       : NULL;
}

/* Of a native network the port goes back to the first: it holds all of the container's addresses. */
static struct vd_container reservation_of(const struct vd_container *container, const struct vd_container_address *address)
{
	struct vd_container reservation = {
		.domain = container->domain,
		.state = VD_CONTAINER_STATE_RESERVED,
		.addresses[0] = *address,
		.native = container->native,
		.port = container->native && address == &container->addresses[0] ? container->port : 0,
		.since = container->since,
	};

	reservation.addresses[0].reserved = NULL;
	snprintf(reservation.key, sizeof(reservation.key), "%s", address->reserved);
	memcpy(reservation.network, container->network, sizeof(reservation.network));
	return reservation;
}

/* ---- changes, each in one transaction ---- */

static int put_write(struct vd_journal *journal, const struct vd_container *container, bool is_new, struct vd_error *error)
{
	int r = 0;

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++)
		if (reservation_find(journal, container->domain, &container->addresses[i]))
			r = vd_journal_file_remove(journal->file, container->addresses[i].reserved, error);
	if (r == 0)
		r = vd_journal_file_put(journal->file, container, error);
	return r == 0 && is_new ? lasts_write(journal, container, error) : r;
}

static int remove_write(struct vd_journal *journal, const struct vd_container *container, struct vd_error *error)
{
	int r = vd_journal_file_remove(journal->file, container->key, error);

	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++) {
		struct vd_container reservation;

		if (!container->addresses[i].reserved)
			continue;
		reservation = reservation_of(container, &container->addresses[i]);
		r = vd_journal_file_put(journal->file, &reservation, error);
	}
	return r;
}

int vd_journal_put(struct vd_journal *journal, const struct vd_container *container, struct vd_error *error)
{
	bool is_new = !vd_journal_find(journal, container->key);
	struct vd_container copy;
	int r = vd_container_copy(container, &copy);

	if (r < 0)
		return r;
	r = vd_journal_file_begin(journal->file, error);
	if (r == 0)
		r = vd_journal_file_end(journal->file, put_write(journal, container, is_new, error), error);
	if (r < 0) {
		vd_container_clear(&copy);
		return r;
	}
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES; i++) {
		struct row *reservation = reservation_find(journal, copy.domain, &copy.addresses[i]);

		if (reservation)
			row_drop(journal, reservation);
	}
	r = row_keep(journal, &copy);
	return r == 0 && is_new ? lasts_keep(journal, container) : r;
}

int vd_journal_remove(struct vd_journal *journal, const char *key, struct vd_error *error)
{
	struct row *row = row_find(journal, key);
	struct vd_container copy;
	int r = row ? vd_container_copy(&row->container, &copy) : 0;

	if (!row || r < 0)
		return r;
	r = vd_journal_file_begin(journal->file, error);
	if (r == 0)
		r = vd_journal_file_end(journal->file, remove_write(journal, &copy, error), error);
	if (r == 0)
		row_drop(journal, row);
	for (size_t i = 0; i < VD_CONTAINER_ADDRESSES && r == 0; i++) {
		struct vd_container reservation;

		if (!copy.addresses[i].reserved)
			continue;
		reservation = reservation_of(&copy, &copy.addresses[i]);
		r = row_keep(journal, &reservation);
	}
	vd_container_clear(&copy);
	return r;
}
