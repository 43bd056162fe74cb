# SPDX-License-Identifier: Apache-2.0
"""Hosts, instances and the links between them in network namespaces, from a file: for the demo, the tests and the benchmarks."""

from lab.layout import Layout, LabError
from lab.world import Lab, leftovers, wait_until

__all__ = ["Lab", "LabError", "Layout", "leftovers", "wait_until"]
