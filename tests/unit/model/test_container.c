/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "model/block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NETWORK(name, more) "{kind: container_network, name: " name ", " more "}"
#define NODE(name, more) "{kind: node, name: " name ", " more "}"
#define BLOCK(cidr, more) "{kind: container_block, container_network: c, cidr: " cidr ", " more "}"
#define PEERING(name, more) "{kind: peering, name: " name ", " more "}"
#define HOSTS "{kind: host, name: n1}" AND "{kind: host, name: n2}" AND "{kind: host, name: n3}"

/* Hosts n1, n2, n3, and a container network c: 10.0.0.0/16 by tunnel, blocks of 256. */
static struct vd_model *lan(uint32_t *ret_next_id)
{
	struct vd_model *model = vd_model_new();

	*ret_next_id = apply(model, HOSTS AND NETWORK("c", "cidr: 10.0.0.0/16"), 1);
	return model;
}

static const struct vd_container_network *network(const struct vd_model *model, const char *name)
{
	return (const struct vd_container_network *)vd_model_get(model, VD_KIND_CONTAINER_NETWORK, "default", name);
}

static const struct vd_container_block *block(const struct vd_model *model, const char *cidr)
{
	char name[64];

	snprintf(name, sizeof(name), "c/%s", cidr);
	return (const struct vd_container_block *)vd_model_get(model, VD_KIND_CONTAINER_BLOCK, "default", name);
}

/* --- what hosts write --- */

static struct vd_prefix prefix(const char *text)
{
	struct vd_prefix ret;

	assert_int_equal(vd_prefix_parse(text, &ret), 0);
	return ret;
}

static int try_write(struct vd_model *model, const char *host, int64_t now, const struct vd_block_write *write,
		     struct vd_error *error)
{
	struct vd_block_writes writes = {.host = host, .now = now, .items = write, .count = 1};
	struct vd_changes *changes;
	int r = vd_changes_from_blocks(model, &writes, 1000, &changes, error);

	if (r < 0)
		return r;
	assert_int_equal(vd_changes_apply(changes, model), 0);
	vd_changes_free(changes);
	return 0;
}

static struct vd_block_write write_of(const char *cidr, const char *node, enum vd_block_state state, uint64_t until)
{
	return (struct vd_block_write){.project = "default",
				       .container_network = "c",
				       .cidr = prefix(cidr),
				       .node = node,
				       .state = state,
				       .quarantined_until = until};
}

static int take_error(struct vd_model *model, const char *host, const char *cidr, int64_t now, struct vd_error *error)
{
	struct vd_block_write write = write_of(cidr, host, VD_BLOCK_STATE_HELD, 0);

	return try_write(model, host, now, &write, error);
}

static void take(struct vd_model *model, const char *host, const char *cidr)
{
	struct vd_error error = {};

	if (take_error(model, host, cidr, 0, &error) < 0)
		fail_msg("%s", error.text);
}

static void assert_not_taken(struct vd_model *model, const char *host, const char *cidr, int64_t now, const char *sentence)
{
	struct vd_error error = {};

	assert_int_equal(take_error(model, host, cidr, now, &error), -EBUSY);
	assert_string_equal(error.text, sentence);
}

static int quarantine(struct vd_model *model, const char *by, const char *node, const char *cidr, uint64_t until)
{
	struct vd_block_write write = write_of(cidr, node, VD_BLOCK_STATE_QUARANTINED, until);

	return try_write(model, by, 0, &write, NULL);
}

static int release(struct vd_model *model, const char *by, const char *cidr, int64_t now, struct vd_error *error)
{
	struct vd_block_write write = write_of(cidr, NULL, VD_BLOCK_STATE_HELD, 0);

	return try_write(model, by, now, &write, error);
}

/* R-CTR-2 (the model's part): whoever comes second with the same block is refused, whatever it believes. */
static void test_no_two_nodes_have_one_block(void **state)
{
	uint32_t next_id;
	struct vd_model *model = lan(&next_id);
	struct vd_block_write write = write_of("10.0.9.0/24", "n2", VD_BLOCK_STATE_HELD, 0);
	struct vd_error error = {};

	take(model, "n1", "10.0.2.0/24");
	assert_int_equal(block(model, "10.0.2.0/24")->assigned_state, VD_BLOCK_STATE_HELD);
	assert_not_taken(model, "n2", "10.0.2.0/24", 0, "container_block c/10.0.2.0/24 is held by node n1");
	/* Again by itself: as it is. */
	take(model, "n1", "10.0.2.0/24");
	assert_int_equal(release(model, "n2", "10.0.2.0/24", 0, &error), -EBUSY);
	assert_string_equal(error.text, "container_block c/10.0.2.0/24 is held by node n1");
	/* Not for another either. */
	assert_int_equal(try_write(model, "n1", 0, &write, &error), -EINVAL);
	assert_string_equal(error.text, "container_block c/10.0.9.0/24: only node n2 itself can take it");
	assert_int_equal(take_error(model, "n2", "10.0.2.0/25", 0, &error), -EINVAL);
	assert_string_equal(error.text, "container_block c/10.0.2.0/25: a block of container_network c is a /24, or one address "
					"that moved out of such a block");
	assert_int_equal(take_error(model, "n2", "10.1.0.0/24", 0, &error), -EINVAL);
	assert_string_equal(error.text,
			    "container_block c/10.1.0.0/24: it lies outside 10.0.0.0/16 of container_network c; choose one inside");
	assert_int_equal(release(model, "n1", "10.0.2.0/24", 0, &error), 0);
	assert_null(block(model, "10.0.2.0/24"));
	assert_int_equal(release(model, "n1", "10.0.2.0/24", 0, &error), -ENOENT);
	assert_string_equal(error.text, "container_block c/10.0.2.0/24 does not exist");
	take(model, "n2", "10.0.2.0/24");
	vd_model_free(model);
}

/* R-CTR-3 (the model's part): what a dead node had is nobody's for a while, and its own again when it is back in time. */
static void test_a_quarantined_block_waits(void **state)
{
	uint32_t next_id;
	struct vd_model *model = lan(&next_id);
	struct vd_error error = {};
	uint32_t id;

	take(model, "n1", "10.0.2.0/24");
	id = block(model, "10.0.2.0/24")->head.id;
	assert_int_equal(quarantine(model, "n2", "n1", "10.0.2.0/24", 1300), 0);
	assert_int_equal(block(model, "10.0.2.0/24")->assigned_quarantined_until, 1300);
	assert_not_taken(model, "n2", "10.0.2.0/24", 1290,
			 "container_block c/10.0.2.0/24 was held by node n1, which died; it is free in 10 s");
	assert_int_equal(release(model, "n2", "10.0.2.0/24", 1299, &error), -EBUSY);
	take(model, "n1", "10.0.2.0/24");
	assert_int_equal(block(model, "10.0.2.0/24")->assigned_quarantined_until, 0);
	assert_int_equal(block(model, "10.0.2.0/24")->head.id, id);
	assert_int_equal(quarantine(model, "n2", "n1", "10.0.2.0/24", 1300), 0);
	assert_int_equal(take_error(model, "n2", "10.0.2.0/24", 1300, &error), 0);
	assert_string_equal(block(model, "10.0.2.0/24")->node, "n2");
	/* Too late. */
	assert_not_taken(model, "n1", "10.0.2.0/24", 1301, "container_block c/10.0.2.0/24 is held by node n2");
	assert_int_equal(quarantine(model, "n1", "n2", "10.0.2.0/24", 1300), 0);
	assert_int_equal(release(model, "n3", "10.0.2.0/24", 1300, &error), 0);
	assert_null(block(model, "10.0.2.0/24"));
	/* What never was held is not quarantined: nobody's containers are in it. */
	apply(model, BLOCK("10.0.3.0/24", "node: n1"), next_id);
	assert_int_equal(quarantine(model, "n2", "n1", "10.0.3.0/24", 1300), -EBUSY);
	assert_int_equal(quarantine(model, "n2", "n1", "10.0.4.0/24", 1300), -ENOENT);
	vd_model_free(model);
}

/* R-SCN-11 (the model's part): one address of a block is with another node; neither block nor address goes to a third. */
static void test_an_address_that_moved_keeps_its_block_from_others(void **state)
{
	uint32_t next_id;
	struct vd_model *model = lan(&next_id);
	struct vd_error error = {};

	take(model, "n1", "10.0.2.0/24");
	assert_int_equal(take_error(model, "n1", "10.0.2.5/32", 0, &error), -EEXIST);
	assert_string_equal(
		error.text,
		"container_block c/10.0.2.5/32: it lies in container_block c/10.0.2.0/24, which node n1 holds too; leave it out");
	assert_int_equal(take_error(model, "n2", "10.0.3.5/32", 0, &error), -EINVAL);
	assert_string_equal(error.text, "container_block c/10.0.3.5/32: it is one address, which is in nobody's block and so "
					"cannot have moved; choose a whole block");
	take(model, "n2", "10.0.2.5/32");
	assert_true(vd_block_is_moved(block(model, "10.0.2.5/32")));
	assert_not_taken(model, "n3", "10.0.2.5/32", 0, "container_block c/10.0.2.5/32 is held by node n2");
	assert_int_equal(release(model, "n1", "10.0.2.0/24", 0, &error), -EBUSY);
	assert_string_equal(error.text, "container_block c/10.0.2.0/24 is needed by container_block c/10.0.2.5/32, an address of "
					"it that moved to node n2; delete that first, or both together");
	assert_int_equal(quarantine(model, "n2", "n1", "10.0.2.0/24", 1300), 0);
	assert_false(vd_block_is_over(model, block(model, "10.0.2.0/24"), 1400));
	assert_not_taken(
		model, "n3", "10.0.2.0/24", 1400,
		"container_block c/10.0.2.0/24 was held by node n1, which died, and an address of it that moved is in use");
	assert_int_equal(release(model, "n2", "10.0.2.5/32", 0, &error), 0);
	assert_true(vd_block_is_over(model, block(model, "10.0.2.0/24"), 1400));
	assert_int_equal(take_error(model, "n3", "10.0.2.0/24", 1400, &error), 0);
	vd_model_free(model);
}

/* --- what users write --- */

static void test_a_user_chooses_blocks_but_does_not_take_them_away(void **state)
{
	uint32_t next_id;
	struct vd_model *model = lan(&next_id);

	next_id = apply(model, BLOCK("10.0.2.0/24", "node: n1") AND BLOCK("10.0.3.0/24", "node: n1"), next_id);
	assert_int_equal(block(model, "10.0.2.0/24")->assigned_state, VD_BLOCK_STATE_CHOSEN);
	assert_not_taken(model, "n2", "10.0.2.0/24", 0, "container_block c/10.0.2.0/24 is chosen for node n1");
	/* As long as nobody is in it. */
	next_id = apply(model, BLOCK("10.0.2.0/24", "node: n2"), next_id);
	assert_int_equal(discard(model, VD_KIND_CONTAINER_BLOCK, "c/10.0.3.0/24"), 1);
	take(model, "n2", "10.0.2.0/24");
	next_id = apply(model, BLOCK("10.0.2.0/24", "node: n2, description: of the second"), next_id);
	assert_int_equal(block(model, "10.0.2.0/24")->assigned_state, VD_BLOCK_STATE_HELD);
	assert_refused(model, BLOCK("10.0.2.0/24", "node: n1"), -EBUSY,
		       "container_block c/10.0.2.0/24: node n2 holds it, and containers may stand in it; let that node leave "
		       "container_network c first");
	assert_not_deleted(model, VD_KIND_CONTAINER_BLOCK, "c/10.0.2.0/24",
			   "container_block c/10.0.2.0/24: node n2 holds it, and containers may stand in it; let the node leave "
			   "container_network c, which releases it");
	assert_int_equal(quarantine(model, "n1", "n2", "10.0.2.0/24", 1300), 0);
	assert_string_equal(block(model, "10.0.2.0/24")->head.description, "of the second");
	assert_refused(model, BLOCK("10.0.2.0/24", "node: n1"), -EBUSY,
		       "container_block c/10.0.2.0/24: node n2 held it until it died, and containers may stand in it; let that "
		       "node leave container_network c first");
	assert_not_deleted(model, VD_KIND_CONTAINER_BLOCK, "c/10.0.2.0/24",
			   "container_block c/10.0.2.0/24: node n2 held it until it died, and containers may still stand in it; it "
			   "goes by itself when its quarantine is over");
	/* Its network takes it along. */
	assert_int_equal(discard(model, VD_KIND_CONTAINER_NETWORK, "c"), 2);
	assert_null(block(model, "10.0.2.0/24"));
	vd_model_free(model);
}

static void test_bad_blocks_are_refused(void **state)
{
	uint32_t next_id;
	struct vd_model *model = lan(&next_id);

	apply(model,
	      "{kind: vpc, name: v, cidr: 192.168.0.0/16}" AND "{kind: subnet, name: a, vpc: v, cidr: 192.168.0.0/24}" AND
	      "{kind: port, name: p, subnet: a}" AND NETWORK("plain", "mode: native, subnet: a"),
	      next_id);
	assert_refused(model, BLOCK("10.0.2.0/24", "description: x"), -EINVAL,
		       "line 1: container_block c/10.0.2.0/24: name either node: (a host with viaductd) or port: (an instance "
		       "without one)");
	assert_refused(model, BLOCK("10.0.2.0/24", "node: n1, port: p"), -EINVAL,
		       "line 1: container_block c/10.0.2.0/24: name either node: (a host with viaductd) or port: (an instance "
		       "without one)");
	assert_refused(model, BLOCK("10.0.2.0/24", "node: n7"), -ENOENT,
		       "container_block c/10.0.2.0/24: host n7 does not exist; apply it too, or correct node");
	assert_refused(model, BLOCK("10.0.2.0/24", "port: p"), -EINVAL,
		       "container_block c/10.0.2.0/24: without a viaductd behind port p only routes of a VPC can lead there, and "
		       "container_network c has none; name a node, or use one that is routed by its VPC");
	assert_refused(model, "{kind: container_block, container_network: plain, cidr: 192.168.0.0/24, node: n1}", -EINVAL,
		       "container_block plain/192.168.0.0/24: container_network plain is native: its containers are ports of "
		       "subnet a and need no blocks");
	assert_refused(model, "{kind: container_block, container_network: c, cidr: x, node: n1}", -EINVAL,
		       "line 1: container_block c/x: cidr must be a CIDR like 192.168.0.0/24, not \"x\"");
	vd_model_free(model);
}

/* R-CTR-1 (the model's part), seed 002: an instance without a viaductd; a user may change which one. */
static void test_a_block_stands_behind_a_port(void **state)
{
	struct vd_model *model = site();
	uint32_t next_id = apply(model, NETWORK("c", "mode: routed, vpc: v, cidr: 10.0.0.0/16"), SITE_NEXT_ID);

	next_id = apply(model, BLOCK("10.0.2.0/24", "port: p1"), next_id);
	assert_int_equal(block(model, "10.0.2.0/24")->assigned_state, VD_BLOCK_STATE_HELD);
	assert_refused(model, BLOCK("10.0.3.0/24", "port: p4"), -EINVAL,
		       "container_block c/10.0.3.0/24: port p4 is not in VPC v, which has the routes of container_network c; "
		       "choose one that is");
	assert_refused(model, BLOCK("10.0.3.0/24", "port: office1"), -EINVAL,
		       "container_block c/10.0.3.0/24: port office1 is not in VPC v, which has the routes of container_network c; "
		       "choose one that is");
	next_id = apply(model, BLOCK("10.0.2.0/24", "port: p2"), next_id);
	assert_not_deleted(model, VD_KIND_PORT, "p2",
			   "port p2 is needed by container_block c/10.0.2.0/24; delete that first, or all together");
	assert_int_equal(discard(model, VD_KIND_CONTAINER_BLOCK, "c/10.0.2.0/24"), 1);
	vd_model_free(model);
}

static void test_bad_container_networks_are_refused(void **state)
{
	static const struct {
		const char *more, *sentence;
	} cases[] = {
		{"mode: tunnel", "cidrs is missing; give the CIDR that its nodes' blocks are cut from, like 10.0.0.0/16"},
		{"mode: native", "subnet is missing; in native mode it says where containers have their ports"},
		{"mode: native, subnet: a, cidr: 10.0.0.0/16", "a native network has the CIDRs of its subnet; leave cidrs out"},
		{"mode: native, subnet: a, vni: 5", "a native network has the VNI of its subnet; leave vni out"},
		{"mode: native, subnet: a, vpc: w", "subnet a is in VPC v, not in w; leave vpc out"},
		{"mode: bridged", "mode must be tunnel, routed or native, not \"bridged\""},
		{"subnet: a, cidr: 10.0.0.0/16", "a subnet is for native mode only; leave it out or say mode: native"},
		{"cidr: 10.0.0.0/26", "a block of /24 is larger than its CIDR 10.0.0.0/26; give a block_size from 26 to 30"},
		{"cidr: 10.0.0.0/31", "its CIDR 10.0.0.0/31 is too small to cut blocks from; give one of at most /30"},
		{"cidr: \"fd00::/120\"", "a block of /112 is larger than its CIDR fd00::/120; give a block_size6 from 120 to 124"},
		{"cidr: 10.0.0.0/16, block_size: 31", "block_size must be from 1 to 30, not 31"},
		{"cidr: \"fd00::/64\", block_size6: 125", "block_size6 must be from 1 to 124, not 125"},
		{"cidrs: [10.0.0.0/16, 10.1.0.0/16]", "it has two CIDRs of IPv4; make a second container_network"},
		{"cidr: 169.254.0.0/16",
		 "CIDR 169.254.0.0/16 overlaps 169.254.0.0/16 (link-local), which no instance can use; take another"},
		{"cidr: 10.0.0.0/16, provider: host", "a provider is for routed mode only; leave it out or say mode: routed"},
		{"cidr: 10.0.0.0/16, gateway: n1", "gateways are for routed mode only; leave them out or say mode: routed"},
		{"mode: routed, cidr: 10.0.0.0/16, provider: vpc",
		 "provider vpc needs a VPC; name it with vpc:, or choose provider host or gateway"},
		{"mode: routed, cidr: 10.0.0.0/16, provider: host, vpc: v",
		 "provider host makes routes on hosts, and inside VPC v only provider vpc can; leave out one of the two"},
		{"mode: routed, cidr: 10.0.0.0/16, provider: gateway",
		 "gateways is missing; with provider gateway it names the hosts that have the routes"},
		{"mode: routed, cidr: 10.0.0.0/16, gateway: n1",
		 "gateways are for provider gateway only; leave them out or choose that"},
		{"cidr: 10.0.0.0/16, quarantine: 0", "quarantine must be from 1 to 86400, not 0"},
	};
	struct vd_model *model = site();

	apply(model, HOSTS, SITE_NEXT_ID);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *array;
		char text[256];
		struct vd_changes *changes;
		struct vd_error error = {};
		int r;

		snprintf(text, sizeof(text), "{kind: container_network, name: c, %s}", cases[i].more);
		array = documents(text);
		r = vd_changes_from_documents(model, array, "default", 1000, &changes, &error);
		if (r != -EINVAL)
			fail_msg("%s: %d: %s", text, r, r < 0 ? error.text : "accepted");
		if (!strstr(error.text, cases[i].sentence) || !strstr(error.text, "container_network c: "))
			fail_msg("%s: %s", text, error.text);
		json_decref(array);
	}
	vd_model_free(model);
}

static void test_a_container_network_does_not_change_under_its_blocks(void **state)
{
	uint32_t next_id;
	struct vd_model *model = lan(&next_id);

	assert_assigned(model, VD_KIND_CONTAINER_NETWORK, "default", "c", "{\"id\":4,\"vni\":1}");
	take(model, "n1", "10.0.200.0/24");
	assert_refused(model, NETWORK("c", "cidr: 10.0.0.0/17"), -EBUSY,
		       "container_network c: container_block c/10.0.200.0/24 of node n1 would lie outside 10.0.0.0/17; keep it "
		       "inside, or let that node leave first");
	assert_refused(model, NETWORK("c", "cidr: 10.0.0.0/16, block_size: 25"), -EBUSY,
		       "container_network c: its block_size cannot change while container_block c/10.0.200.0/24 stands; let its "
		       "nodes leave first, or make another one");
	assert_refused(model, NETWORK("c", "cidr: 10.0.0.0/16, mode: routed"), -EINVAL,
		       "container_network c: its mode is tunnel and cannot become routed while it stands; make another one");
	assert_refused(model, NETWORK("c", "cidr: 10.0.0.0/16, vni: 9"), -EINVAL,
		       "container_network c: its VNI is 1 and cannot become 9 while it stands; delete it first, or leave vni out");
	assert_refused(model, "{kind: vpc, name: v, cidr: 192.168.0.0/16, vni: 1}", -EEXIST,
		       "vpc v: VNI 1 is used by container_network c; choose another or leave vni out");
	next_id = apply(model, NETWORK("c", "cidrs: [10.0.0.0/15, \"fd00::/64\"], quarantine: 5"), next_id);
	assert_int_equal(release(model, "n1", "10.0.200.0/24", 0, NULL), 0);
	next_id = apply(model, NETWORK("c", "cidr: 10.0.0.0/17, block_size: 25"), next_id);
	assert_int_equal(network(model, "c")->block_size, 25);
	vd_model_free(model);
}

static void test_bad_nodes_are_refused(void **state)
{
	struct vd_model *model = site();
	uint32_t next_id = apply(model,
				 HOSTS AND NETWORK("c", "mode: routed, vpc: v, cidr: 10.0.0.0/16")
					 AND NETWORK("plain", "mode: native, subnet: a") AND NETWORK("t", "cidr: 10.1.0.0/16"),
				 SITE_NEXT_ID);

	assert_string_equal(network(model, "plain")->vpc, "v");
	assert_refused(model, NODE("n1", "description: x"), -EINVAL,
		       "line 1: node n1: container_networks is missing; it must be a list of names");
	assert_refused(model, NODE("n9", "container_network: t"), -ENOENT,
		       "node n9: host n9 does not exist; apply it too, or correct name");
	assert_refused(model, NODE("n1", "container_network: x"), -ENOENT,
		       "node n1: container_network x does not exist; apply it too, or correct container_networks");
	assert_refused(model, NODE("n1", "container_network: c"), -EINVAL,
		       "node n1: container_network c has its routes in VPC v, which have to lead to a port; give port: the one "
		       "that this instance has");
	assert_refused(model, NODE("n1", "container_network: c, port: office1"), -EINVAL,
		       "node n1: port office1 stands on a network itself, in no VPC; choose one of a subnet, or leave port out");
	assert_refused(model, NODE("n1", "container_networks: [plain], port: p1"), -EINVAL,
		       "node n1: container_network plain is native, which hosts of its VPC take part in, and port p1 says that "
		       "this one is an instance; leave one of the two out");
	assert_refused(model, NODE("n1", "container_network: t, lan: ''"), -EINVAL,
		       "line 1: node n1: lan is empty; give it a text or leave it out");
	next_id = apply(model, NODE("n1", "container_networks: [c, t], port: p1"), next_id);
	assert_refused(model, NODE("n2", "container_network: c, port: p1"), -EEXIST,
		       "node n2: port p1 is node n1 already; choose this one's");
	/* Of another VPC, reached by tunnel unless the two are peers. */
	next_id = apply(model, NODE("n2", "container_network: c, port: p4") AND NODE("n3", "container_network: plain"), next_id);
	assert_not_deleted(model, VD_KIND_CONTAINER_NETWORK, "c",
			   "container_network c is needed by node n1 and 1 more; delete that first, or all together");
	assert_not_deleted(model, VD_KIND_HOST, "n1", "host n1 is needed by node n1; delete that first, or all together");
	assert_refused(model, NETWORK("t", "cidr: 192.168.0.0/20"), -EEXIST,
		       "container_network t: its CIDR 192.168.0.0/20 overlaps 192.168.0.0/16 of vpc v, and VPC v could not tell "
		       "them apart; choose another");
	vd_model_free(model);
}

/* R-PEER-2, R-CTR-8 (the model's part): what could not be told apart is refused, and both are named. */
static void test_overlapping_addresses_are_refused_naming_both(void **state)
{
	struct vd_model *model = site();
	uint32_t next_id = apply(model,
				 HOSTS AND "{kind: vpc, name: x, cidrs: [192.168.4.0/24, 10.7.0.0/16]}" AND
					   "{kind: vpc, name: y, cidr: 172.16.9.0/24}" AND PEERING("vw", "vpc: v, peer: w")
						   AND NETWORK("c", "mode: routed, vpc: v, cidr: 10.0.0.0/16"),
				 SITE_NEXT_ID);

	assert_refused(model, PEERING("vx", "vpc: v, peer: x"), -EEXIST,
		       "peering vx: CIDR 192.168.4.0/24 of vpc x overlaps 192.168.0.0/16 of vpc v, and VPC v could not tell them "
		       "apart; choose another, or let peering vx translate it: {vpc: x, cidr: 192.168.4.0/24, as: …}");
	/* Two peers of one. */
	assert_refused(model, PEERING("vy", "vpc: y, peer: v"), -EEXIST,
		       "peering vy: CIDR 172.16.9.0/24 of vpc y overlaps 172.16.0.0/16 of vpc w, and VPC v could not tell them "
		       "apart; choose another, or let peering vy translate it: {vpc: y, cidr: 172.16.9.0/24, as: …}");
	assert_refused(model, PEERING("again", "vpc: w, peer: v"), -EEXIST,
		       "peering again: peering vw is between w and v already; leave one out");
	assert_refused(model, PEERING("self", "vpc: v, peer: v"), -EINVAL,
		       "line 1: peering self: vpc and peer are both v; a peering is between two");
	assert_refused(model, PEERING("vw", "vpc: v, peer: x"), -EINVAL,
		       "peering vw: it is between v and w and cannot be between v and x while it stands; delete it first");
	/* Containers against the VPC, its peer, and others there. */
	assert_refused(model, NETWORK("d", "vpc: v, cidr: 192.168.128.0/17"), -EEXIST,
		       "container_network d: its CIDR 192.168.128.0/17 overlaps 192.168.0.0/16 of vpc v, and VPC v could not tell "
		       "them apart; choose another");
	assert_refused(model, NETWORK("d", "vpc: v, cidr: 172.16.0.0/12"), -EEXIST,
		       "container_network d: its CIDR 172.16.0.0/12 overlaps 172.16.0.0/16 of vpc w, and VPC v could not tell them "
		       "apart; choose another, or let peering vw translate it: {vpc: w, cidr: 172.16.0.0/16, as: …}");
	assert_refused(model, NETWORK("d", "vpc: v, cidr: 10.0.4.0/22"), -EEXIST,
		       "container_network d: its CIDR 10.0.4.0/22 overlaps 10.0.0.0/16 of container_network c, and VPC v could not "
		       "tell them apart; choose another");
	assert_refused(model, NETWORK("d", "mode: routed, vpc: w, cidr: 10.0.4.0/22"), -EEXIST,
		       "container_network d: its CIDR 10.0.4.0/22 overlaps 10.0.0.0/16 of container_network c, and VPC w could not "
		       "tell them apart; choose another, or let peering vw translate it: {vpc: v, cidr: 10.0.0.0/16, as: …}");
	/* A peer sees nothing of what goes by tunnel. */
	next_id = apply(model, NETWORK("far", "cidr: 10.0.0.0/16") AND NETWORK("near", "cidr: 10.0.0.0/16"), next_id);
	/* Two on one host, whatever the project. */
	next_id = apply(model, NODE("n1", "container_network: far"), next_id);
	assert_refused(model, NODE("n1", "container_networks: [far, near]"), -EEXIST,
		       "node n1: CIDR 10.0.0.0/16 of container_network near overlaps 10.0.0.0/16 of container_network far, and "
		       "host n1 could not tell them apart; choose another");
	assert_refused(model,
		       NETWORK("other", "project: acme, cidr: 10.0.8.0/24")
			       AND NODE("n1", "project: acme, container_network: other"),
		       -EEXIST,
		       "container_network acme/other: its CIDR 10.0.8.0/24 overlaps 10.0.0.0/16 of container_network far, and host "
		       "n1 could not tell them apart; choose another");
	assert_refused(model, NETWORK("g", "mode: routed, cidr: 10.0.0.0/20, provider: gateway, gateway: n1"), -EEXIST,
		       "container_network g: its CIDR 10.0.0.0/20 overlaps 10.0.0.0/16 of container_network far, and host n1 could "
		       "not tell them apart; choose another");
	/* A VPC that grows into one. */
	assert_refused(model, "{kind: vpc, name: w, cidrs: [172.16.0.0/16, 10.0.5.0/24]}", -EEXIST,
		       "vpc w: its CIDR 10.0.5.0/24 overlaps 10.0.0.0/16 of container_network c, and VPC w could not tell them "
		       "apart; choose another, or let peering vw translate it: {vpc: v, cidr: 10.0.0.0/16, as: …}");
	vd_model_free(model);
}

static void test_routes_lead_to_peers(void **state)
{
	struct vd_model *model = site();
	uint32_t next_id =
		apply(model, PEERING("vw", "vpc: v, peer: w, routes: manual") AND "{kind: vpc, name: x, cidr: 10.8.0.0/16}",
		      SITE_NEXT_ID);

	assert_refused(model, "{kind: route, vpc: v, destination: 172.16.0.0/16, next_hop: {peering: xy}}", -ENOENT,
		       "route v/172.16.0.0/16: peering xy does not exist; apply it too, or correct next_hop");
	assert_refused(model, "{kind: route, vpc: x, destination: 172.16.0.0/16, next_hop: {peering: vw}}", -EINVAL,
		       "route x/172.16.0.0/16: peering vw is none of VPC x; choose one that is");
	next_id = apply(model,
			"{kind: route, vpc: v, destination: 172.16.0.0/16, next_hop: {peering: vw}}" AND
			"{kind: policy_route, vpc: w, priority: 5, next_hop: {peering: vw}}",
			next_id);
	assert_not_deleted(model, VD_KIND_PEERING, "vw",
			   "peering vw is needed by route v/172.16.0.0/16 and 1 more; delete that first, or all together");
	assert_not_deleted(model, VD_KIND_VPC, "w", "vpc w is needed by subnet c and 2 more; delete that first, or all together");
	vd_model_free(model);
}

/* --- which block a node gets --- */

static void claim(struct vd_model *model, const char *host, const char *more)
{
	char text[512];
	struct vd_resource *resource;
	struct vd_error error = {};

	snprintf(text, sizeof(text), "{\"underlay\":\"192.168.7.2\"%s}", more);
	assert_int_equal(vd_resource_decode(VD_KIND_CLAIM, "default", host, text, strlen(text), &resource, &error), 0);
	assert_int_equal(vd_model_put(model, resource), 0);
	vd_resource_unref(resource);
}

static void assert_chosen_now(const struct vd_model *model, const char *host, unsigned family, int64_t now, const char *expected)
{
	struct vd_block_request request = {.network = network(model, "c"), .host = host, .family = family, .now = now};
	char text[VD_PREFIX_TEXT] = "none";
	struct vd_prefix chosen;

	if (vd_block_choose(model, &request, &chosen, NULL) == 0)
		vd_prefix_format(&chosen, text);
	assert_string_equal(text, expected);
}

static void assert_chosen(const struct vd_model *model, const char *host, const char *expected)
{
	assert_chosen_now(model, host, VD_FAMILY_IPV4, 0, expected);
}

/* R-CTR-2 (the model's part): the blocks of a node lie together, so that they can be one route. */
static void test_a_node_gets_blocks_that_lie_together(void **state)
{
	uint32_t next_id;
	struct vd_model *model = lan(&next_id);

	assert_chosen(model, "n1", "10.0.0.0/24");
	take(model, "n1", "10.0.0.0/24");
	/* Room is left beside it. */
	assert_chosen(model, "n2", "10.0.2.0/24");
	take(model, "n2", "10.0.2.0/24");
	assert_chosen(model, "n1", "10.0.1.0/24");
	take(model, "n1", "10.0.1.0/24");
	assert_chosen(model, "n2", "10.0.3.0/24");
	/* 10.0.0.0/23 is full, and next to it is n2 with one: the other one there would make three of four. */
	assert_chosen(model, "n1", "10.0.3.0/24");
	take(model, "n2", "10.0.3.0/24");
	/* Nothing beside it any more: a place of its own. */
	assert_chosen(model, "n1", "10.0.4.0/24");
	assert_chosen(model, "n3", "10.0.4.0/24");
	vd_model_free(model);
}

static void test_a_chosen_block_is_free_and_collides_with_nothing(void **state)
{
	struct vd_model *model = vd_model_new();
	uint32_t next_id = apply(model, HOSTS AND NETWORK("c", "cidrs: [172.17.0.0/22, \"fd00::/64\"]"), 1);
	const struct vd_occupied other = {.name = "Docker network web", .prefix = prefix("172.17.1.0/25")};
	struct vd_block_request request = {.network = network(model, "c"), .host = "n1", .family = VD_FAMILY_IPV4};
	const struct vd_occupied *occupied = NULL;
	struct vd_prefix chosen;
	struct vd_prefix last = prefix("172.17.3.0/24");

	assert_chosen_now(model, "n1", VD_FAMILY_IPV6, 0, "fd00::/112");
	claim(model, "n1",
	      ",\"occupied\":[{\"name\":\"a "
	      "route\",\"prefix\":\"0.0.0.0/0\"},{\"name\":\"docker0\",\"prefix\":\"172.17.0.0/24\"}]");
	assert_chosen(model, "n1", "172.17.2.0/24");
	assert_chosen(model, "n2", "172.17.0.0/24");
	next_id = apply(model, BLOCK("172.17.2.0/24", "node: n3"), next_id);
	assert_chosen(model, "n1", "172.17.1.0/24");
	request.occupied = &other;
	request.occupied_count = 1;
	assert_int_equal(vd_block_choose(model, &request, &chosen, &occupied), 0);
	assert_true(vd_prefix_equal(&chosen, &last));
	take(model, "n2", "172.17.3.0/24");
	assert_int_equal(vd_block_choose(model, &request, &chosen, &occupied), -ENOSPC);
	assert_string_equal(occupied->name, "docker0");
	take(model, "n2", "172.17.0.0/24");
	assert_int_equal(vd_block_choose(model, &request, &chosen, &occupied), -ENOSPC);
	assert_ptr_equal(occupied, &other);
	take(model, "n2", "172.17.1.0/24");
	assert_int_equal(vd_block_choose(model, &request, &chosen, &occupied), -ENOSPC);
	assert_null(occupied);
	/* What is quarantined is free when that is over, unless an address of it is elsewhere. */
	assert_int_equal(quarantine(model, "n1", "n2", "172.17.3.0/24", 1000), 0);
	assert_chosen_now(model, "n1", VD_FAMILY_IPV4, 999, "none");
	assert_chosen_now(model, "n1", VD_FAMILY_IPV4, 1000, "172.17.3.0/24");
	take(model, "n3", "172.17.3.9/32");
	assert_chosen_now(model, "n1", VD_FAMILY_IPV4, 1000, "none");
	vd_model_free(model);
}

/* The whole network is one block; and one so large that nobody counts its blocks. */
static void test_blocks_of_the_smallest_and_the_largest_networks_are_found(void **state)
{
	struct vd_model *model = vd_model_new();

	apply(model, HOSTS AND NETWORK("c", "cidrs: [10.0.0.0/24, \"fc00::/8\"], block_size6: 124"), 1);
	assert_chosen(model, "n1", "10.0.0.0/24");
	take(model, "n1", "10.0.0.0/24");
	assert_chosen(model, "n1", "none");
	assert_chosen_now(model, "n1", VD_FAMILY_IPV6, 0, "fc00::/124");
	take(model, "n2", "fc00::/124");
	assert_chosen_now(model, "n1", VD_FAMILY_IPV6, 0, "fc00::20/124");
	take(model, "n3", "fcff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124");
	assert_chosen_now(model, "n3", VD_FAMILY_IPV6, 0, "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffe0/124");
	vd_model_free(model);
}

/* R-CTR-2 (the model's part): nodes join, grow, die and come back in any order; what is chosen is always free, until all is full. */
static void test_what_is_chosen_can_be_taken_until_the_network_is_full(void **state)
{
	unsigned seed = 1;

	for (unsigned sequence = 0; sequence < 50; sequence++) {
		uint32_t next_id;
		struct vd_model *model = lan(&next_id);
		size_t held = 0;

		apply(model, NETWORK("c", "cidr: 10.0.0.0/19"), next_id);
		for (unsigned step = 0; step < 200; step++) {
			struct vd_block_request request = {.network = network(model, "c"), .family = VD_FAMILY_IPV4, .now = step};
			char host[4], cidr[VD_PREFIX_TEXT];
			struct vd_prefix chosen;

			seed = seed * 1103515245u + 12345u;
			snprintf(host, sizeof(host), "n%u", 1 + (seed >> 16) % 3);
			request.host = host;
			held = vd_model_count(model, VD_KIND_CONTAINER_BLOCK);
			if (vd_block_choose(model, &request, &chosen, NULL) == 0) {
				struct vd_error error = {};

				if (take_error(model, host, vd_prefix_format(&chosen, cidr), step, &error) < 0)
					fail_msg("%s", error.text);
			} else {
				assert_int_equal(held, 32);
			}
			/* Somebody's third block, if there is one, goes. */
			if ((seed >> 20) % 3 == 0) {
				snprintf(cidr, sizeof(cidr), "10.0.%u.0/24", (seed >> 22) % 32);
				if (!block(model, cidr))
					continue;
				snprintf(host, sizeof(host), "%s", block(model, cidr)->node);
				if ((seed >> 28) & 1)
					release(model, host, cidr, step, NULL);
				else
					quarantine(model, "n1", host, cidr, step + (seed >> 24) % 20);
			}
		}
		assert_true(held <= 32);
		vd_model_free(model);
	}
}

static void test_a_node_is_found_by_host_and_network(void **state)
{
	uint32_t next_id;
	struct vd_model *model = lan(&next_id);

	apply(model, NODE("n1", "container_network: c"), next_id);
	assert_string_equal(vd_model_node_in_network(model, network(model, "c"), "n1")->host, "n1");
	assert_null(vd_model_node_in_network(model, network(model, "c"), "n3"));
	vd_model_free(model);
}

static void test_a_block_has_a_gateway(void **state)
{
	uint32_t next_id;
	struct vd_model *model = lan(&next_id);
	char text[VD_ADDRESS_TEXT];
	struct vd_address gateway;

	take(model, "n1", "10.0.2.0/24");
	take(model, "n2", "10.0.2.9/32");
	gateway = vd_block_gateway(block(model, "10.0.2.0/24"));
	assert_string_equal(vd_address_format(&gateway, text), "10.0.2.1");
	gateway = vd_block_gateway(block(model, "10.0.2.9/32"));
	assert_int_equal(gateway.family, VD_FAMILY_NONE);
	vd_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_two_nodes_have_one_block),
		cmocka_unit_test(test_a_quarantined_block_waits),
		cmocka_unit_test(test_an_address_that_moved_keeps_its_block_from_others),
		cmocka_unit_test(test_a_user_chooses_blocks_but_does_not_take_them_away),
		cmocka_unit_test(test_bad_blocks_are_refused),
		cmocka_unit_test(test_a_block_stands_behind_a_port),
		cmocka_unit_test(test_bad_container_networks_are_refused),
		cmocka_unit_test(test_a_container_network_does_not_change_under_its_blocks),
		cmocka_unit_test(test_bad_nodes_are_refused),
		cmocka_unit_test(test_overlapping_addresses_are_refused_naming_both),
		cmocka_unit_test(test_routes_lead_to_peers),
		cmocka_unit_test(test_a_node_gets_blocks_that_lie_together),
		cmocka_unit_test(test_a_chosen_block_is_free_and_collides_with_nothing),
		cmocka_unit_test(test_blocks_of_the_smallest_and_the_largest_networks_are_found),
		cmocka_unit_test(test_what_is_chosen_can_be_taken_until_the_network_is_full),
		cmocka_unit_test(test_a_node_is_found_by_host_and_network),
		cmocka_unit_test(test_a_block_has_a_gateway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
