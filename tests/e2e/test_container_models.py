# SPDX-License-Identifier: Apache-2.0
"""Seed 001: from a container to the VPC around it, in the three models, and into a peered VPC; with containerd and viaduct-cni.

    vpc-demo 192.168.0.0/16   node1 192.168.10.11 (h1), node2 192.168.10.12 (h2), h2 itself (native), ecs 192.168.10.52 (h1)
    vpc-demo2 10.1.0.0/16     far 10.1.0.9 (h2)
"""

import pytest

from containers import Pods, address_of, busybox_ping, cannot_reach, reaches, wait_for_block
from lab import wait_until

LAB = """
name: models
hosts:
  h1: {addresses: [172.31.0.1/24]}
  h2: {addresses: [172.31.0.2/24], machine: true}
instances:
  node1: {ports: {node1: h1}, node: {addresses: [172.31.0.101/24], underlay: 192.168.10.11}}
  node2: {ports: {node2: h2}, node: {addresses: [172.31.0.102/24], underlay: 192.168.10.12}}
  ecs: {ports: {ecs: h1}}
  far: {ports: {far: h2}}
"""

DOCUMENTS = """
kind: vpc
name: vpc-demo
cidrs: [192.168.0.0/16]
---
kind: vpc
name: vpc-demo2
cidrs: [10.1.0.0/16]
---
kind: subnet
name: nodes
vpc: vpc-demo
cidrs: [192.168.10.0/24]
---
kind: subnet
name: native
vpc: vpc-demo
cidrs: [192.168.20.0/24]
---
kind: subnet
name: far
vpc: vpc-demo2
cidrs: [10.1.0.0/24]
---
{kind: security_group, name: service}
---
{kind: port, name: node1, subnet: nodes, addresses: [192.168.10.11]}
---
{kind: port, name: node2, subnet: nodes, addresses: [192.168.10.12]}
---
{kind: port, name: ecs, subnet: nodes, addresses: [192.168.10.52], security_groups: [service]}
---
{kind: port, name: far, subnet: far, addresses: [10.1.0.9], security_groups: [service]}
---
{kind: container_network, name: tunnel, cidrs: [172.20.0.0/16], mode: tunnel, vpc: vpc-demo}
---
{kind: container_network, name: vpc, cidrs: [172.16.0.0/16], mode: routed, vpc: vpc-demo}
---
{kind: container_network, name: pods, cidrs: [10.0.0.0/16], mode: routed, vpc: vpc-demo}
---
{kind: container_network, name: native, mode: native, vpc: vpc-demo, subnet: native}
"""

NODES = """
{kind: node, name: node1, container_networks: [tunnel, vpc, pods], port: node1}
---
{kind: node, name: node2, container_networks: [tunnel, vpc, pods], port: node2}
---
{kind: node, name: h2, container_networks: [native]}
"""
