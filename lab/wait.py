# SPDX-License-Identifier: Apache-2.0
"""Waiting for a state: never for a time, which is too short on some machine and too long on all others."""

import time

from lab.layout import LabError


def wait_until(condition, what, seconds=30.0, step=0.05):
    """What condition() returned once it was true; a LabError that says what never became so, a text or what makes it then."""
    deadline = time.monotonic() + seconds
    while True:
        # Looked at first: whoever is kept from running until long after the deadline still asks once more.
        late = time.monotonic() > deadline
        if value := condition():
            return value
        if late:
            raise LabError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(step)
