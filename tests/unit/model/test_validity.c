/* SPDX-License-Identifier: Apache-2.0 */
#include "model/block.h"
#include "model/document.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Validation looks at what a change touches. That must be as good as looking at everything: after each change that is accepted,
 * the whole model's documents together change nothing; and with what they were assigned written in they are accepted by an empty
 * model, where nothing counts as checked before.
 */

#define SEQUENCES 360
#define STEPS 100

static unsigned pick(unsigned *seed, unsigned count)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % count;
}

/* Where a route leads: n0 is 203.0.113.0/28, n1 198.51.100.0/28, n2 (flat) 10.99.0.0/28. */
static const char *some_next_hop(unsigned *seed, char text[48])
{
	unsigned a = pick(seed, 8), b = pick(seed, 3);

	switch (pick(seed, 6)) {
	case 5:
		snprintf(text, 48, "{peering: e%u}", b % 2);
		break;
	case 0:
		snprintf(text, 48, "{address: 10.%u.%u.%u}", a % 2, b, a);
		break;
	case 1:
		snprintf(text, 48, "{vip: x%u}", a % 4);
		break;
	case 2:
		snprintf(text, 48, "{public: 203.0.113.%u}", a + 1);
		break;
	case 3:
		snprintf(text, 48, "{gateway: 198.51.100.%u}", a + 1);
		break;
	default:
		snprintf(text, 48, "{blackhole: true}");
	}
	return text;
}

/*
 * The same of provider networks and what stands on them. No range shrinks below what was given of it: who has an address keeps it
 * then, which is accepted piece by piece only.
 */
static int write_outside_document(unsigned *seed, char *text, size_t size)
{
	unsigned a = pick(seed, 3), b = pick(seed, 3), c = pick(seed, 4), d = pick(seed, 6);
	static const char *const networks[] = {
		"n0, role: public, physnet: outer, cidr: 203.0.113.0/28",
		"n1, role: public, physnet: outer, vlan: 7, cidrs: [198.51.100.0/28, \"2001:db8::/64\"]",
		"n2, role: flat, physnet: inner, cidr: 10.99.0.0/28, gateway: none",
		"n0, role: public, physnet: outer, ranges: [203.0.113.2-203.0.113.7, 203.0.113.8-203.0.113.13], netmask: "
		"255.255.255.240, gateway: "
		"203.0.113.14",
		"n2, role: flat, physnet: inner, cidr: 10.99.0.0/28, dhcp: false",
		"m, role: management, physnet: inner, vlan: 9, cidr: 203.0.113.0/24",
	};
	static const char *const attachments[] = {"[]", "[n0]", "[n1, n0]", "[{network: n0, address: 203.0.113.3}, n2]"};
	static const char *const bindings[] = {"", ", port: p%u", ", private_vip: x%u", ", port: p%u, port_address: 10.0.0.2"};
	static const char *const actions[] = {"set_mark: 5", "lookup_table: t0", "lookup_table: t1", "next_hop: "};
	static const char *const sources[] = {"", ", source: 10.0.0.0/24", ", mark: 5", ", protocol: tcp, destination_ports: 1-9"};
	static const char *const allowed[] = {"", ", allowed_cidr: 192.0.2.0/24", ", port_address: 10.0.0.2"};
	char hop[48], binding[64];

	/* It fits each of them: those without a name in them take none. */
	snprintf(binding, sizeof(binding), bindings[c], d % 4);
	switch (pick(seed, 12)) {
	case 0:
		return snprintf(text, size, "{kind: network, name: %s}", networks[d]);
	case 1:
		return snprintf(text, size, "{kind: vpc, name: v%u, cidr: 10.0.0.0/15, networks: %s}", a, attachments[c]);
	case 2:
		return snprintf(text, size, "{kind: router_profile, name: default, network: n%u}", a);
	case 3:
		return snprintf(text, size, "{kind: port, name: p%u, network: n%u}", d, a);
	case 4:
		return snprintf(text, size, "{kind: virtual_ip, name: x%u, network: n%u%s}", c, a,
				b ? "" : ", address: 203.0.113.5");
	case 5:
		return snprintf(text, size, "{kind: virtual_ip, name: x%u, subnet: s%u, port: p%u}", c, d % 4, b);
	case 6:
		return snprintf(text, size, "{kind: elastic_ip, name: e%u, vip: x%u%s}", a, d % 4, binding);
	case 7:
		return snprintf(text, size, "{kind: elastic_ip, name: e%u, network: n%u%s%s}", a, b,
				b == 0 && d == 0 ? ", address: 203.0.113.4" : "", binding);
	case 8:
		return snprintf(text, size, "{kind: port_forward, name: f%u, vip: %s, protocol: %s, ports: %u-%u, port: p%u%s}", a,
				c == 0   ? "x0"
				: c == 1 ? "v1.n0"
					 : "v0.n0",
				b ? "tcp" : "udp", 20 + d, 22 + d, pick(seed, 3), allowed[b]);
	case 9:
		return snprintf(text, size, "{kind: route, vpc: v%u, destination: %s, next_hop: %s}", a,
				b ? "0.0.0.0/0" : "10.9.0.0/24", some_next_hop(seed, hop));
	case 10:
		return snprintf(text, size, "{kind: policy_route, %s, priority: %u%s, %s%s}", b ? "vpc: v0" : "table: t0", d + 1,
				sources[pick(seed, 4)], actions[c], c == 3 ? some_next_hop(seed, hop) : "");
	default:
		return snprintf(text, size, "{kind: subnet, name: s%u, vpc: v%u, cidr: 10.%u.%u.0/24, physnet: inner, vlan: %u}", c,
				a, b % 2, d, 5 + d);
	}
}

/*
 * And of containers. Blocks are chosen by documents here; what hosts write is in write_block(). A gateway is a host of its own.
 */
static int write_container_document(unsigned *seed, char *text, size_t size)
{
	unsigned a = pick(seed, 3), b = pick(seed, 3), c = pick(seed, 4), d = pick(seed, 6);
	static const char *const modes[] = {
		"cidr: 10.4%u.0.0/22",
		"mode: routed, cidr: 10.4%u.0.0/22",
		"mode: routed, cidr: 10.4%u.0.0/23, provider: gateway, "
		"gateway: h2",
		"mode: routed, vpc: v%u, cidr: 10.40.0.0/22",
		"mode: routed, vpc: v%u, cidrs: [10.0.0.0/16, \"fd00::/64\"]",
		"mode: native, subnet: s%u",
	};
	static const char *const sizes[] = {"", "", ", block_size: 25", ", masquerade: false"};
	static const char *const joined[] = {"[c0]", "[c1]", "[c0, c1]", "[c2]"};
	static const char *const ports[] = {"", ", port: p%u", ", port: p%u, lan: here"};
	char more[80];

	switch (pick(seed, 5)) {
	case 0:
		snprintf(more, sizeof(more), modes[d], a % 2);
		return snprintf(text, size, "{kind: container_network, name: c%u, %s%s}", b, more, d == 5 ? "" : sizes[c]);
	case 1:
		snprintf(more, sizeof(more), ports[b], d);
		return snprintf(text, size, "{kind: node, name: h%u, container_networks: %s%s}", a, joined[c], more);
	case 2:
		return snprintf(text, size, "{kind: container_block, container_network: c%u, cidr: 10.4%u.%u.0/%u, %s%u}", a, b % 2,
				c, d == 0 ? 25 : 24, d == 1 ? "port: p" : "node: h", b);
	case 3:
		return snprintf(text, size, "{kind: container_block, container_network: c%u, cidr: 10.4%u.%u.5/32, node: h%u}", a,
				b % 2, c, d % 3);
	default:
		return snprintf(text, size, "{kind: peering, name: e%u, vpc: v%u, peer: v%u, routes: %s}", a % 2, b, c % 3,
				d ? "auto" : "manual");
	}
}

/* One document about a handful of names and addresses, so that they meet often. Returns its length. */
static int write_document(unsigned *seed, char *text, size_t size)
{
	unsigned a = pick(seed, 3), b = pick(seed, 3), c = pick(seed, 4), d = pick(seed, 6);
	static const char *const cidrs[] = {"10.0.0.0/16", "10.1.0.0/16", "10.0.0.0/15"};
	static const char *const tables[] = {"", ", route_table: t0", ", route_table: t1"};
	static const char *const instances[] = {"", ", instance: i0", ", instance: i1, default: true"};
	static const char *const pools[] = {"default", "q"};
	static const char *const dhcp[] = {"", ", dhcp: false", ", ranges: [10.%u.%u.4-10.%u.%u.6]", ", dhcp_address: 10.%u.%u.5"};
	static const char *const groups[] = {"", ", security_groups: [g0]", ", security_groups: [g1, g0]"};
	static const char *const networks[] = {"", ", networks: [s0, s1]", ", networks: [s0, s2]"};
	static const char *const remotes[] = {"", ", remote_group: g0", ", remote_group: g1, remote_cidr: 10.0.0.0/8"};
	static const char *const contents[] = {"", ", protocol: tcp, port: 22", ", protocol: icmp", ", name: n"};
	char more[64];

	if (pick(seed, 4) == 0)
		return write_container_document(seed, text, size);
	switch (pick(seed, 20)) {
	case 8:
		return snprintf(text, size, "{kind: security_group, name: g%u%s}", a % 2, networks[b]);
	case 9:
		return snprintf(text, size, "{kind: security_group_rule, group: g%u, direction: %s%s%s}", a % 2,
				b ? "ingress" : "egress", remotes[a], contents[c]);
	case 10:
		return snprintf(text, size, "{kind: port, name: p%u, subnet: s%u%s%s}", d, c, groups[a], instances[b]);
	case 11:
		snprintf(more, sizeof(more), dhcp[c], b % 2, d, b % 2, d);
		return snprintf(text, size, "{kind: subnet, name: s%u, vpc: v%u, cidr: 10.%u.%u.0/%u%s}", c, a, b % 2, d, 28 + a,
				more);
	case 0:
		return snprintf(text, size, "{kind: vpc, name: v%u, cidr: %s, vxlan_pool: %s, route_quota: %u}", a, cidrs[b],
				pools[c % 2], d + 1);
	case 1:
		return snprintf(text, size, "{kind: subnet, name: s%u, vpc: v%u, cidr: 10.%u.%u.0/%u%s}", c, a, b % 2, d,
				24 - d % 2, tables[b]);
	case 2:
		return snprintf(text, size, "{kind: subnet, name: s%u, vpc: v%u, cidr: 10.%u.%u.0/29, gateway: 10.%u.%u.%u}", c, a,
				b % 2, d, b % 2, d, d + 1);
	case 3:
		return snprintf(text, size, "{kind: port, name: p%u, subnet: s%u%s}", d, c, instances[a]);
	case 4:
		return snprintf(text, size, "{kind: port, name: p%u, subnet: s%u, address: 10.%u.%u.%u%s}", d, c, b % 2,
				pick(seed, 6), c + 2, instances[a]);
	case 5:
		return snprintf(text, size, "{kind: route_table, name: t%u, vpcs: [v%u]}", a % 2, b);
	case 6:
		return snprintf(text, size, "{kind: route, vpc: v%u, destination: 10.9.%u.0/24, next_hop: {address: 10.%u.%u.%u}}",
				a, d, b % 2, pick(seed, 6), c + 2);
	case 7:
		if (a == 0)
			return snprintf(text, size, "{kind: vxlan_pool, name: %s, vnis: %u-%u}", pools[b % 2], 1 + c, 6 + d);
		return snprintf(text, size,
				"{kind: route, table: t%u, destination: 10.9.%u.0/24, next_hop: {address: 10.%u.%u.%u}}", a % 2, d,
				b % 2, pick(seed, 6), c + 2);
	default:
		return write_outside_document(seed, text, size);
	}
}

static int collect(const struct vd_resource *resource, void *userdata)
{
	json_array_append_new(userdata, vd_resource_document(resource));
	return 0;
}

static int collect_pinned(const struct vd_resource *resource, void *userdata)
{
	json_t *document = vd_resource_document(resource), *assigned = vd_resource_assigned(resource);

	json_object_del(assigned, "id");
	json_object_del(assigned, "identity");
	json_object_del(assigned, "state");
	json_object_del(assigned, "quarantined_until");
	if (resource->kind == VD_KIND_PORT_FORWARD)
		json_object_del(assigned, "subnet");
	json_object_update(document, assigned);
	json_array_append_new(userdata, document);
	json_decref(assigned);
	return 0;
}

struct choice {
	unsigned left;
	struct vd_identity identity;
};

static int choose(const struct vd_resource *resource, void *userdata)
{
	struct choice *choice = userdata;

	choice->identity = (struct vd_identity){resource->kind, resource->project, resource->name};
	return choice->left-- == 0;
}

/* Something to start from, where most single documents of the above are right. */
static uint32_t begin(struct vd_model *model)
{
	static const char text[] =
		"{kind: host, name: h0}\n---\n{kind: host, name: h1}\n---\n{kind: host, name: h2}\n"
		"---\n{kind: network, name: n0, role: public, physnet: outer, cidr: 203.0.113.0/28}\n"
		"---\n{kind: network, name: n1, role: public, physnet: outer, vlan: 7, cidrs: [198.51.100.0/28, "
		"\"2001:db8::/64\"]}\n"
		"---\n{kind: network, name: n2, role: flat, physnet: inner, cidr: 10.99.0.0/28}\n"
		"---\n{kind: vpc, name: v0, cidr: 10.0.0.0/15, networks: [n0]}\n---\n{kind: vpc, name: v1, cidr: 10.0.0.0/15, "
		"vxlan_pool: q}\n"
		"---\n{kind: vxlan_pool, name: q, vnis: 3-9}\n---\n{kind: route_table, name: t0, vpc: v0}\n"
		"---\n{kind: route_table, name: t1}\n---\n{kind: subnet, name: s0, vpc: v0, cidr: 10.0.0.0/24}\n"
		"---\n{kind: subnet, name: s1, vpc: v1, cidr: 10.1.1.0/24, route_table: t1}\n"
		"---\n{kind: security_group, name: g0}\n---\n{kind: security_group, name: g1, networks: [s0, s1]}\n"
		"---\n{kind: port, name: p0, subnet: s0}\n---\n{kind: port, name: p1, subnet: s1, instance: i0}\n"
		"---\n{kind: vpc, name: v2, cidr: 10.2.0.0/16}\n---\n{kind: peering, name: e0, vpc: v0, peer: v2}\n"
		"---\n{kind: container_network, name: c0, mode: routed, vpc: v0, cidr: 10.40.0.0/22}\n"
		"---\n{kind: container_network, name: c1, cidr: 10.41.0.0/22}\n"
		"---\n{kind: node, name: h0, container_networks: [c0, c1], port: p0}\n"
		"---\n{kind: container_block, container_network: c0, cidr: 10.40.0.0/24, node: h0}\n"
		"---\n{kind: virtual_ip, name: x0, network: n0}\n---\n{kind: virtual_ip, name: x1, subnet: s0, port: p0}\n";
	struct vd_changes *changes = NULL;
	struct vd_error error = {};
	json_t *documents;
	uint32_t next_id;

	assert_int_equal(vd_documents_parse(text, strlen(text), &documents, &error), 0);
	if (vd_changes_from_documents(model, documents, "default", 1, &changes, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(vd_changes_apply(changes, model), 0);
	next_id = changes->next_id;
	vd_changes_free(changes);
	json_decref(documents);
	return next_id;
}

/* A deletion of any one resource. */
static int some_deletion(const struct vd_model *model, unsigned *seed, struct vd_changes **ret, struct vd_error *error)
{
	enum vd_kind kind = (enum vd_kind)pick(seed, VD_KIND_USER_COUNT);
	struct choice choice = {};

	if (vd_model_count(model, kind) == 0)
		return -ENOENT;
	choice.left = pick(seed, (unsigned)vd_model_count(model, kind));
	vd_model_each(model, kind, NULL, choose, &choice);
	return vd_changes_from_deletion(model, &choice.identity, 1, ret, error);
}

/* What a host writes about one block: takes it, quarantines it, gives it back. */
static int some_write(const struct vd_model *model, unsigned *seed, uint32_t next_id, char *text, size_t size,
		      struct vd_changes **ret, struct vd_error *error)
{
	unsigned a = pick(seed, 3), b = pick(seed, 3), c = pick(seed, 4), d = pick(seed, 4);
	char network[8], host[8], node[8], cidr[32];
	struct vd_block_write write = {.project = "default", .container_network = network};
	struct vd_block_writes writes = {.host = host, .now = pick(seed, 100), .items = &write, .count = 1};

	snprintf(network, sizeof(network), "c%u", a);
	snprintf(host, sizeof(host), "h%u", b);
	snprintf(node, sizeof(node), "h%u", d == 3 ? pick(seed, 3) : b);
	snprintf(cidr, sizeof(cidr), "10.4%u.%u.%s", pick(seed, 2), c, pick(seed, 4) == 0 ? "5/32" : "0/24");
	assert_int_equal(vd_prefix_parse(cidr, &write.cidr), 0);
	write.node = d == 0 ? NULL : node;
	write.state = d == 3 ? VD_BLOCK_STATE_QUARANTINED : VD_BLOCK_STATE_HELD;
	write.quarantined_until = d == 3 ? pick(seed, 100) : 0;
	snprintf(text, size, "a write of %s about %s of %s: %u for %s", host, cidr, network, d, node);
	return vd_changes_from_blocks(model, &writes, next_id, ret, error);
}

static int some_apply(const struct vd_model *model, unsigned *seed, uint32_t next_id, char *text, size_t size,
		      struct vd_changes **ret, struct vd_error *error)
{
	size_t used = 0;
	json_t *documents;
	int r;

	for (unsigned i = 0, count = 1 + pick(seed, 2); i < count; i++) {
		used += (size_t)snprintf(text + used, size - used, "\n---\n");
		used += (size_t)write_document(seed, text + used, size - used);
	}
	r = vd_documents_parse(text, used, &documents, error);
	if (r < 0)
		fail_msg("%s: %s", text, error->text);
	r = vd_changes_from_documents(model, documents, "default", next_id, ret, error);
	json_decref(documents);
	return r;
}

struct identities {
	const struct vd_model *model;
	const struct vd_port *port;
	const char *text;
};

static int compare_identity(const struct vd_resource *resource, void *userdata)
{
	const struct identities *identities = userdata;
	const struct vd_port *a = identities->port, *b = (const struct vd_port *)resource;
	bool same = a->security_group_count == b->security_group_count;

	for (size_t i = 0; same && i < a->security_group_count; i++)
		same = strcmp(a->security_groups[i], b->security_groups[i]) == 0;
	if (same != (a->assigned_identity == b->assigned_identity))
		fail_msg("after %s: identities %u of port %s and %u of %s", identities->text, a->assigned_identity, a->head.name,
			 b->assigned_identity, b->head.name);
	return 0;
}

/* Ports have the same identity when they are in the same groups, and only then. */
static int check_identity(const struct vd_resource *resource, void *userdata)
{
	struct identities *identities = userdata;

	identities->port = (const struct vd_port *)resource;
	if ((identities->port->assigned_identity == 0) != (identities->port->security_group_count == 0))
		fail_msg("after %s: port %s has identity %u", identities->text, resource->name,
			 identities->port->assigned_identity);
	return vd_model_each(identities->model, VD_KIND_PORT, NULL, compare_identity, userdata);
}

static struct vd_changes *change_all(const struct vd_model *all, const struct vd_model *model, uint32_t next_id,
				     int (*visit)(const struct vd_resource *resource, void *userdata), const char *text)
{
	json_t *documents = json_array();
	struct vd_changes *changes = NULL;
	struct vd_error error = {};

	for (int kind = 0; kind < VD_KIND_USER_COUNT; kind++)
		vd_model_each(all, (enum vd_kind)kind, NULL, visit, documents);
	if (vd_changes_from_documents(model, documents, "default", next_id, &changes, &error) < 0)
		fail_msg("after %s: %s", text, error.text);
	json_decref(documents);
	return changes;
}

static void assert_whole(const struct vd_model *model, uint32_t next_id, const char *text)
{
	struct vd_changes *changes = change_all(model, model, next_id, collect, text);
	struct vd_model *empty = vd_model_new();
	struct identities identities = {.model = model, .text = text};

	vd_model_each(model, VD_KIND_PORT, NULL, check_identity, &identities);
	for (size_t i = 0; i < changes->count; i++)
		if (changes->items[i].before != changes->items[i].after)
			fail_msg("after %s: %s %s changes", text, vd_kind_word(changes->items[i].kind), changes->items[i].name);
	vd_changes_free(changes);
	vd_changes_free(change_all(model, empty, 1, collect_pinned, text));
	vd_model_free(empty);
}

static void test_what_is_accepted_piece_by_piece_is_accepted_as_a_whole(void **state)
{
	unsigned accepted = 0, deleted = 0;
	size_t seen[VD_KIND_USER_COUNT] = {};

	for (unsigned sequence = 0; sequence < SEQUENCES; sequence++) {
		struct vd_model *model = vd_model_new();
		unsigned seed = sequence;
		uint32_t next_id = begin(model);

		for (unsigned step = 0; step < STEPS; step++) {
			struct vd_changes *changes;
			struct vd_error error = {};
			char text[1024] = "a deletion";
			bool is_deletion = pick(&seed, 5) == 0, is_write = !is_deletion && pick(&seed, 6) == 0;
			int r = is_deletion ? some_deletion(model, &seed, &changes, &error)
				: is_write  ? some_write(model, &seed, next_id, text, sizeof(text), &changes, &error)
					    : some_apply(model, &seed, next_id, text, sizeof(text), &changes, &error);

			if (r < 0)
				continue;
			accepted++;
			deleted += is_deletion;
			assert_int_equal(vd_changes_apply(changes, model), 0);
			if (changes->next_id != 0)
				next_id = changes->next_id;
			vd_changes_free(changes);
			assert_whole(model, next_id, text);
			for (int kind = 0; kind < VD_KIND_USER_COUNT; kind++)
				seen[kind] += vd_model_count(model, (enum vd_kind)kind);
		}
		vd_model_free(model);
	}
	print_message("%u changes accepted, %u of them deletions\n", accepted, deleted);
	assert_true(accepted > 1000 && deleted > 100);
	for (int kind = VD_KIND_VXLAN_POOL; kind < VD_KIND_USER_COUNT; kind++)
		if (seen[kind] < 1000)
			fail_msg("%s stood in %zu models only", vd_kind_word((enum vd_kind)kind), seen[kind]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_accepted_piece_by_piece_is_accepted_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
