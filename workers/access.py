"""
Clearing what is over of logging in: used-up tokens, tickets, attempts and wrong tries.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Final

import structlog

from core.access import clearing
from core.db import transact
from workers.resources import current

log = structlog.get_logger(__name__)

# Receipts wait behind this job: it does not take long, and is rung for again.
_SECONDS_MAX: Final = 2.0


def clear(**_: object) -> None:
    """Delete what is over, lot by lot, each committed, until there is none or time is up."""
    have = current()
    until = time.monotonic() + _SECONDS_MAX
    cleared = 0
    while gone := transact(have.databases, partial(clearing.clear, now=have.clock())):
        cleared += gone
        if time.monotonic() > until:
            break
    if cleared:
        log.info("access.cleared", rows=cleared)
