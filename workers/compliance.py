"""
What is done for the law behind everybody's back: screening people, and watching movements.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog
from sqlalchemy.orm import Session

from core import screening, watch
from core.db import transact
from workers.resources import current

log = structlog.get_logger(__name__)

# Receipts wait behind these jobs: they do not take long, and are rung for again soon.
_SECONDS_MAX: Final = 2.0


def screen(**_: object) -> None:
    """Hold people against the sanctions lists: the new ones, and everybody after a load."""
    now = current().clock()
    if count := _while_there_are(partial(screening.screen_new, now=now)):
        log.info("compliance.screened", count=count)
    if count := _while_there_are(partial(screening.rescreen, now=now)):
        log.info("compliance.rescreened", count=count)


def look(**_: object) -> None:
    """Hold what was posted since the last time against the rules."""
    if count := _while_there_are(partial(watch.watch, now=current().clock())):
        log.info("compliance.watched", count=count)


def _while_there_are(work: Callable[[Session], int]) -> int:
    """Do work lot by lot, each committed, until there is none or time is up; return how much."""
    until = time.monotonic() + _SECONDS_MAX
    total = 0
    while done := transact(current().databases, work):
        total += done
        if time.monotonic() > until:
            break
    return total
