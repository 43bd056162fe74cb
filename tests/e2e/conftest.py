# SPDX-License-Identifier: Apache-2.0
"""Labs for end-to-end tests: one per test file, gone when its tests are, whatever happened."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
