"""
The periodic reconciliation: what was written since the last one, in snapshots that hold nobody up.
"""

from __future__ import annotations

import time
from typing import Final

from core import reconciliation
from workers.resources import current

# Well under the time of a job: what is left over is looked at by the next.
_SECONDS_MAX: Final = 20.0


def run(**_: object) -> None:
    """Look at what is new, until nothing is or the time is over."""
    have = current()
    began = time.monotonic()
    while reconciliation.newest(have.databases, clock=have.clock).is_behind:
        if time.monotonic() - began > _SECONDS_MAX:
            return
