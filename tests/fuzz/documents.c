/* SPDX-License-Identifier: Apache-2.0 */
#include "model/change.h"
#include "model/document.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char small[] = "kind: host\nname: h1\n---\n"
			    "kind: vxlan_pool\nname: pool\nvnis: 100-200\n---\n"
			    "kind: network\nname: public\nrole: public\nphysnet: site\nrange: 10.108.10.0-10.108.11.255\n"
			    "netmask: 255.0.0.0\ngateway: 10.0.0.1\n---\n"
			    "kind: vpc\nname: demo\ncidrs: [192.168.0.0/16, fd00:10::/48]\nnetwork: public\n---\n"
			    "kind: route_table\nname: table\nvpc: demo\n---\n"
			    "kind: subnet\nname: nodes\nvpc: demo\ncidrs: [192.168.0.0/24, fd00:10::/64]\n---\n"
			    "kind: security_group\nname: web\n---\n"
			    "kind: security_group_rule\ngroup: web\ndirection: ingress\nprotocol: tcp\nports: 23-1024\n---\n"
			    "kind: port\nname: ecs1\nsubnet: nodes\naddress: 192.168.0.2\ninstance: vm\n"
			    "security_groups: [web]\n---\n"
			    "kind: virtual_ip\nname: moving\nsubnet: nodes\nport: ecs1\n---\n"
			    "kind: elastic_ip\nname: eip\nnetwork: public\nport: ecs1\n---\n"
			    "kind: port_forward\nname: ssh\nvip: demo.public\nprotocol: tcp\nports: 24\nto_ports: 22\n---\n"
			    "kind: route\nvpc: demo\ndestination: 10.0.2.0/24\nnext_hop: {address: 192.168.0.2}\n";

/* What is accepted once must be accepted again, and change nothing then. */
static void apply(struct vd_model *model, const json_t *documents, uint32_t next_id)
{
	struct vd_changes *changes, *again;

	if (vd_changes_from_documents(model, documents, "default", next_id, &changes, NULL) < 0)
		return;
	if (vd_changes_apply(changes, model) < 0 ||
	    vd_changes_from_documents(model, documents, "default", changes->next_id, &again, NULL) < 0)
		abort();
	for (size_t i = 0; i < again->count; i++)
		if (again->items[i].before != again->items[i].after)
			abort();
	vd_changes_free(again);
	vd_changes_free(changes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_model *model;
	json_t *documents, *start;
	char *text;

	if (vd_documents_parse((const char *)data, size, &documents, NULL) < 0)
		return 0;
	text = vd_documents_format(documents);
	free(text);
	model = vd_model_new();
	apply(model, documents, 1);
	vd_model_free(model);
	model = vd_model_new();
	if (vd_documents_parse(small, sizeof(small) - 1, &start, NULL) < 0)
		abort();
	apply(model, start, 1);
	if (vd_model_count(model, VD_KIND_ROUTE) != 1)
		abort();
	apply(model, documents, 100);
	vd_model_free(model);
	json_decref(start);
	json_decref(documents);
	return 0;
}
