/* SPDX-License-Identifier: Apache-2.0 */
/* Peerings that translate: what they may say, and which addresses clash as whose. R-PEER-2. */
#include "fixture.h"

#include <errno.h>

#define PEERING(name, more) "{kind: peering, name: " name ", " more "}"
#define TWINS "vpc: l, peer: r, translate: "
#define AS(vpc, cidr, as) "{vpc: " vpc ", cidr: '" cidr "', as: '" as "'}"
#define LEFT AS("l", "192.168.0.0/16", "100.64.0.0/16")
#define RIGHT AS("r", "192.168.0.0/16", "100.65.0.0/16")

/* VPCs l and r, both 192.168.0.0/16 and fd00:192::/48, m 10.7.0.0/16; routed containers of r in 10.0.0.0/16, others by tunnel. */
static struct vd_model *twins(uint32_t *ret_next_id)
{
	struct vd_model *model = vd_model_new();

	*ret_next_id = apply(model,
			     "{kind: vpc, name: l, cidrs: [192.168.0.0/16, 'fd00:192::/48']}" AND
			     "{kind: vpc, name: r, cidrs: [192.168.0.0/16, 'fd00:192::/48']}" AND
			     "{kind: vpc, name: m, cidr: 10.7.0.0/16}" AND
			     "{kind: container_network, name: c, mode: routed, vpc: r, cidr: 10.0.0.0/16}" AND
			     "{kind: container_network, name: t, cidr: 10.1.0.0/16}",
			     1);
	return model;
}

static const struct vd_peering *peering(const struct vd_model *model, const char *name)
{
	return (const struct vd_peering *)vd_model_get(model, VD_KIND_PEERING, "default", name);
}

static void test_overlapping_vpcs_are_peers_when_translated(void **state)
{
	static const char six[] =
		"{vpc: l, cidr: 'fd00:192::/48', as: 'fd00:1::/48'}, {vpc: r, cidr: 'fd00:192::/48', as: 'fd00:2::/48'}";
	uint32_t next_id;
	struct vd_model *model = twins(&next_id);
	char text[512];

	assert_refused(
		model, PEERING("p", "vpc: l, peer: r"), -EEXIST,
		"peering p: CIDR 192.168.0.0/16 of vpc r overlaps 192.168.0.0/16 of vpc l, and VPC l could not tell them apart; "
		"choose another, or let peering p translate it: {vpc: r, cidr: 192.168.0.0/16, as: …}");
	/* Only what one of them sees is right. */
	assert_refused(
		model, PEERING("p", TWINS "[" RIGHT "]"), -EEXIST,
		"peering p: CIDR fd00:192::/48 of vpc r overlaps fd00:192::/48 of vpc l, and VPC l could not tell them apart; "
		"choose another, or let peering p translate it: {vpc: r, cidr: fd00:192::/48, as: …}");
	snprintf(text, sizeof(text), PEERING("p", TWINS "[" RIGHT ", %s]"), six);
	assert_refused(
		model, text, -EEXIST,
		"peering p: CIDR 192.168.0.0/16 of vpc r overlaps 192.168.0.0/16 of vpc l, and VPC r could not tell them apart; "
		"choose another, or let peering p translate it: {vpc: l, cidr: 192.168.0.0/16, as: …}");
	snprintf(text, sizeof(text), PEERING("p", TWINS "[" LEFT ", " RIGHT ", %s]"), six);
	next_id = apply(model, text, next_id);
	assert_int_equal(peering(model, "p")->translation_count, 4);
	/* Each may be the same to the other. */
	snprintf(text, sizeof(text), PEERING("p", TWINS "[" LEFT ", " AS("r", "192.168.0.0/16", "100.64.0.0/16") ", %s]"), six);
	apply(model, text, next_id);
	vd_model_free(model);
}

static void test_one_side_alone_may_be_translated(void **state)
{
	uint32_t next_id;
	struct vd_model *model = twins(&next_id);

	apply(model, PEERING("p", "vpc: l, peer: m, translate: " AS("l", "192.168.0.0/16", "172.20.0.0/16")), next_id);
	vd_model_free(model);
}

static void test_what_is_seen_clashes_with_nothing(void **state)
{
	uint32_t next_id;
	struct vd_model *model = twins(&next_id);

	assert_refused(model, PEERING("p", "vpc: l, peer: m, translate: " AS("l", "192.168.0.0/16", "10.7.0.0/16")), -EEXIST,
		       "peering p: CIDR 10.7.0.0/16 of vpc m overlaps 192.168.0.0/16 (as 10.7.0.0/16) of vpc l, and VPC m could "
		       "not tell them apart; choose another");
	/* Containers of the one who sees it, and what it sees of another peer. */
	assert_refused(model, PEERING("p", "vpc: r, peer: m, translate: " AS("m", "10.7.0.0/16", "10.0.0.0/16")), -EEXIST,
		       "peering p: CIDR 10.0.0.0/16 of container_network c overlaps 10.7.0.0/16 (as 10.0.0.0/16) of vpc m, and VPC "
		       "r could not tell them apart; choose another");
	next_id = apply(model, PEERING("p", "vpc: l, peer: m"), next_id);
	assert_refused(model, PEERING("q", "vpc: r, peer: m, translate: " AS("r", "192.168.0.0/16", "192.168.0.0/16")), -EINVAL,
		       "line 1: peering q: 192.168.0.0/16 of VPC r is translated to itself; leave it out");
	assert_refused(
		model, PEERING("q", "vpc: r, peer: m, translate: [" RIGHT "]"), -EEXIST,
		"peering q: CIDR fd00:192::/48 of vpc r overlaps fd00:192::/48 of vpc l, and VPC m could not tell them apart; "
		"choose another, or let peering q translate it: {vpc: r, cidr: fd00:192::/48, as: …}");
	next_id = apply(model,
			PEERING("q", "vpc: r, peer: m, translate: [" RIGHT
				     ", " AS("r", "fd00:192::/48", "fd00:9::/48") ", " AS("r", "10.0.0.0/16", "100.66.0.0/16") "]"),
			next_id);
	/* Its own CIDR, as the peer sees it: also one that comes later. */
	assert_refused(model, "{kind: vpc, name: r, cidrs: [192.168.0.0/16, 'fd00:192::/48', 100.65.8.0/21]}", -EEXIST,
		       "vpc r: its CIDR 192.168.0.0/16 (as 100.65.0.0/16) overlaps 100.65.8.0/21 of vpc r, and VPC m could not "
		       "tell them apart; choose another");
	assert_refused(model, "{kind: container_network, name: d, mode: routed, vpc: m, cidr: 100.66.4.0/22}", -EEXIST,
		       "container_network d: its CIDR 100.66.4.0/22 overlaps 10.0.0.0/16 (as 100.66.0.0/16) of container_network "
		       "c, and VPC m could not tell them apart; choose another");
	vd_model_free(model);
}

static void test_bad_translations_are_refused(void **state)
{
	static const struct {
		const char *translate, *sentence;
	} cases[] = {
		{"[{vpc: l, cidr: 192.168.0.0/16}]", "translate must be a list of {vpc: NAME, cidr: CIDR, as: CIDR}"},
		{"[" LEFT ", x]", "translate must be a list of {vpc: NAME, cidr: CIDR, as: CIDR}"},
		{"[{vpc: l, cidr: 192.168.0.0/16, as: 100.64.0.0/16, to: x}]",
		 "translate must be a list of {vpc: NAME, cidr: CIDR, as: CIDR}"},
		{"[" AS("m", "10.7.0.0/16", "100.64.0.0/16") "]",
		 "it translates 10.7.0.0/16 of VPC m, and is between l and r; name one of "
		 "these"},
		{"[" AS("l", "192.168.0.0/16", "100.64.0.0/17") "]",
		 "192.168.0.0/16 of VPC l cannot be seen as 100.64.0.0/17, which is of "
		 "another size; give one of length 16 of the same family"},
		{"[" AS("l", "192.168.0.0/16", "fd00::/16") "]",
		 "192.168.0.0/16 of VPC l cannot be seen as fd00::/16, which is of another "
		 "size; give one of length 16 of the same family"},
		{"[" LEFT ", " AS("l", "192.168.1.0/24", "100.65.1.0/24") "]",
		 "of VPC l it translates both 192.168.1.0/24 and "
		 "192.168.0.0/16, which overlap; choose prefixes that do not"},
		{"[" LEFT ", " AS("l", "10.9.0.0/24", "100.64.1.0/24") "]",
		 "of VPC l it translates to both 100.64.1.0/24 and 100.64.0.0/16, "
		 "which overlap; choose prefixes that do not"},
		{"[" AS("l", "192.168.0.0/16", "224.1.0.0/16") "]",
		 "CIDR 224.1.0.0/16 overlaps 224.0.0.0/4 (multicast), which no instance can use; take another"},
	};
	uint32_t next_id;
	struct vd_model *model = twins(&next_id);
	char text[512], sentence[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), PEERING("p", TWINS "%s"), cases[i].translate);
		snprintf(sentence, sizeof(sentence), "line 1: peering p: %s", cases[i].sentence);
		assert_refused(model, text, -EINVAL, sentence);
	}
	assert_refused(
		model, PEERING("p", TWINS "[" AS("l", "192.168.0.0/17", "100.64.0.0/17") "]"), -EINVAL,
		"peering p: 192.168.0.0/17 is no CIDR of VPC l, nor of a routed container network of it; translate one that is");
	assert_refused(
		model, PEERING("p", TWINS "[" AS("r", "10.1.0.0/16", "100.64.0.0/16") "]"), -EINVAL,
		"peering p: 10.1.0.0/16 is no CIDR of VPC r, nor of a routed container network of it; translate one that is");
	vd_model_free(model);
}

static void test_host_bits_stay(void **state)
{
	static const struct {
		const char *vpc, *prefix, *seen;
	} cases[] = {
		{"l", "192.168.7.9/32", "100.64.7.9/32"},      {"l", "192.168.0.0/16", "100.64.0.0/16"},
		{"l", "192.0.0.0/8", "192.0.0.0/8"},           {"r", "192.168.7.9/32", "192.168.7.9/32"},
		{"l", "10.9.0.0/24", "10.9.0.0/24"},           {"r", "10.0.96.0/19", "10.8.32.0/19"},
		{"l", "fd00:192::7:9/128", "fd00:1::7:9/128"}, {"r", "10.0.32.0/19", "10.0.32.0/19"},
	};
	struct vd_translation translations[] = {{.vpc = (char[]){"l"}}, {.vpc = (char[]){"r"}}, {.vpc = (char[]){"l"}}};
	const struct vd_peering given = {.translations = translations, .translation_count = 3};
	char text[VD_PREFIX_TEXT];

	vd_prefix_parse("192.168.0.0/16", &translations[0].cidr);
	vd_prefix_parse("100.64.0.0/16", &translations[0].as);
	vd_prefix_parse("10.0.64.0/18", &translations[1].cidr);
	vd_prefix_parse("10.8.0.0/18", &translations[1].as);
	vd_prefix_parse("fd00:192::/48", &translations[2].cidr);
	vd_prefix_parse("fd00:1::/48", &translations[2].as);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vd_prefix prefix, seen;

		assert_int_equal(vd_prefix_parse(cases[i].prefix, &prefix), 0);
		seen = vd_peering_translate(&given, cases[i].vpc, &prefix);
		assert_string_equal(vd_prefix_format(&seen, text), cases[i].seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlapping_vpcs_are_peers_when_translated),
		cmocka_unit_test(test_one_side_alone_may_be_translated),
		cmocka_unit_test(test_what_is_seen_clashes_with_nothing),
		cmocka_unit_test(test_bad_translations_are_refused),
		cmocka_unit_test(test_host_bits_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
