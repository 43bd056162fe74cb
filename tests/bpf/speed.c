// SPDX-License-Identifier: Apache-2.0
/*
 * Nanoseconds per program run, by BPF_PROG_TEST_RUN with repeat: what an uplink's program costs the host's own traffic (on a segment
 * that nobody uses; on one with virtual IPs and instances: to the host's MAC, to another one, a broadcast) and a hit there; a hit, a hit
 * to a tunnel, a miss whose connection is known (a TCP segment with FIN, which the cache may not answer), a hit of a port with a
 * bandwidth limit, the first packet of a connection, also by SNAT; and, with the cost of putting the packet back ("again"), hits that
 * route, and translate. Medians. Not a test: prints one JSON object.
 */
#include "outside.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tag.skel.h"
#include "viaduct.skel.h"

enum {
	ROUNDS = 9,
	REPEAT = 200000,
	CONNECTIONS = 990, /* less than the domain's share */
};

static int compare(const void *a, const void *b)
{
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static uint32_t measure_program(int program, uint32_t ifindex, const struct packet_spec *spec, int verdict)
{
	struct __sk_buff context = {.ifindex = ifindex};
	uint32_t durations[ROUNDS];
	struct packet packet;

	packet_build(spec, &packet);
	for (int i = 0; i < ROUNDS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data, .data_size_in = packet.size, .ctx_in = &context,
			    .ctx_size_in = sizeof(context), .repeat = REPEAT);

		if (bpf_prog_test_run_opts(program, &options) || (int)options.retval != verdict)
			abort();
		durations[i] = options.duration;
	}
	qsort(durations, ROUNDS, sizeof(durations[0]), compare);
	return durations[ROUNDS / 2];
}

static uint32_t measure(struct fixture *fixture, const struct packet_spec *spec)
{
	return measure_program(bpf_program__fd(fixture->bpf->progs.vd_port_ingress), fixture->ifindex_a, spec, VERDICT_REDIRECT);
}

static int measure_uplink(void)
{
	struct packet_spec spec = {.source_mac = MAC_OUTSIDE,
				   .destination_mac = MAC_UPLINK,
				   .source = "192.0.2.7",
				   .destination = "192.0.2.1",
				   .protocol = IPPROTO_UDP,
				   .source_port = 1000,
				   .destination_port = 2000,
				   .payload = 22};
	struct packet_spec spec6 = spec, other = spec, broadcast = spec, hit = spec;
	struct provider *provider;
	int program;
	void *state;

	if (provider_setup(&state))
		return 1;
	provider = state;
	program = bpf_program__fd(provider->fixture->bpf->progs.vd_uplink_ingress);
	spec6.source = "2001:db8::7";
	spec6.destination = "2001:db8::1";
	other.destination_mac = MAC_OUTSIDE2;
	broadcast.destination_mac = MAC_ALL;
	hit.source = "203.0.113.99";
	hit.destination = "203.0.113.21";
	hit.destination_mac = MAC_F;
	printf("\"pass_unused_ns\": %u, ", measure_program(program, provider->f, &spec, VERDICT_PASS));
	printf("\"pass_ipv4_ns\": %u, ", measure_program(program, provider->uplink, &spec, VERDICT_PASS));
	printf("\"pass_ipv6_ns\": %u, ", measure_program(program, provider->uplink, &spec6, VERDICT_PASS));
	printf("\"pass_other_ns\": %u, ", measure_program(program, provider->uplink, &other, VERDICT_PASS));
	printf("\"pass_broadcast_ns\": %u, ", measure_program(program, provider->uplink, &broadcast, VERDICT_PASS));
	printf("\"hit_uplink_ns\": %u, ", measure_program(program, provider->uplink, &hit, VERDICT_REDIRECT));
	return provider_teardown(&state);
}

/* A hit that changes the packet, which every run finds as it was: with what putting it back costs. */
static uint32_t measure_again(struct provider *provider, int program, uint32_t ifindex, const struct packet_spec *spec)
{
	struct packet packet;
	uint32_t zero = 0;

	packet_build(spec, &packet);
	memcpy(provider->tag->bss->again_frame, packet.data, sizeof(provider->tag->bss->again_frame));
	if (bpf_map__update_elem(provider->tag->maps.next, &zero, sizeof(zero), &program, sizeof(program), BPF_ANY))
		abort();
	return measure_program(bpf_program__fd(provider->tag->progs.again), ifindex, spec, VERDICT_REDIRECT);
}

static uint32_t measure_new(struct fixture *fixture, struct packet_spec spec);

static int measure_translation(void)
{
	struct packet_spec plain = out_spec(IPPROTO_UDP, 1000), out = plain, in, elastic;
	struct provider *provider;
	struct fixture *fixture;
	int port, uplink;
	void *state;

	if (outside_setup(&state))
		return 1;
	provider = state;
	fixture = provider->fixture;
	port = bpf_program__fd(fixture->bpf->progs.vd_port_ingress);
	uplink = bpf_program__fd(fixture->bpf->progs.vd_uplink_ingress);
	plain.destination = "10.0.1.2";
	in = in_spec(&out, VIP, assert_leaves(provider, &out, VIP));
	printf("\"again_plain_ns\": %u, ", measure_again(provider, port, fixture->ifindex_a, &plain));
	printf("\"again_snat_out_ns\": %u, ", measure_again(provider, port, fixture->ifindex_a, &out));
	printf("\"again_snat_in_ns\": %u, ", measure_again(provider, uplink, provider->uplink, &in));
	bind_elastic(provider, EIP, "10.0.0.3");
	elastic = in_spec(&out, EIP, 22);
	printf("\"again_elastic_in_ns\": %u, ", measure_again(provider, uplink, provider->uplink, &elastic));
	printf("\"new_snat_ns\": %u, ", measure_new(fixture, out));
	return provider_teardown(&state);
}

/* Each packet is the first of its connection; the clock runs in the kernel, around one program run. */
static uint32_t measure_new(struct fixture *fixture, struct packet_spec spec)
{
	struct __sk_buff context = {.ifindex = fixture->ifindex_a};
	static uint32_t durations[CONNECTIONS];
	struct packet packet;

	for (int i = 0; i < CONNECTIONS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data, .ctx_in = &context, .ctx_size_in = sizeof(context),
			    .repeat = 1);

		spec.source_port = 5000 + i;
		packet_build(&spec, &packet);
		options.data_size_in = packet.size;
		if (bpf_prog_test_run_opts(bpf_program__fd(fixture->bpf->progs.vd_port_ingress), &options) ||
		    options.retval != VERDICT_REDIRECT)
			abort();
		durations[i] = options.duration;
	}
	qsort(durations, CONNECTIONS, sizeof(durations[0]), compare);
	return durations[CONNECTIONS / 2];
}

/* One that a never sees the end of. */
static void put_limit(struct fixture *fixture)
{
	struct vd_rate_key key = {.port_id = PORT_A, .direction = VD_RATE_DIRECTION_OUT};
	struct vd_rate_value value = {.rate = ~0ULL >> 1, .burst = ~0ULL >> 1};

	if (bpf_map__update_elem(fixture->bpf->maps.vd_rate, &key, sizeof(key), &value, sizeof(value), BPF_ANY))
		abort();
	change_port_flags(fixture, fixture->ifindex_a, VD_PORT_FLAG_RATE_OUT, 0);
}

int main(void)
{
	struct packet_spec hit4 = {.source_mac = MAC_A,
				   .source = "10.0.0.2",
				   .destination = "10.0.0.3",
				   .protocol = IPPROTO_UDP,
				   .source_port = 1000,
				   .destination_port = 2000,
				   .payload = 22};
	struct packet_spec hit6 = hit4, tunnel = hit4, miss = hit4;
	struct fixture *fixture;
	void *state;
	int error = provider_enter();

	if (error)
		return error;
	if (fixture_setup(&state))
		return 1;
	fixture = state;
	hit6.source = "fd00:0:0:a::2";
	hit6.destination = "fd00:0:0:a::3";
	tunnel.destination = "10.0.0.4";
	miss.protocol = IPPROTO_TCP;
	miss.tcp_flags = 0x11;
	printf("{\"new_ns\": %u, ", measure_new(fixture, hit4));
	if (fixture_teardown(&state) || measure_uplink() || measure_translation() || fixture_setup(&state))
		return 1;
	fixture = state;
	printf("\"hit_ipv4_ns\": %u, \"hit_ipv6_ns\": %u, \"hit_tunnel_ns\": %u, \"miss_ns\": %u, ", measure(fixture, &hit4),
	       measure(fixture, &hit6), measure(fixture, &tunnel), measure(fixture, &miss));
	put_limit(fixture);
	printf("\"hit_limited_ns\": %u}\n", measure(fixture, &hit4));
	return fixture_teardown(&state);
}
