"""
Several hands for one job: calling is waiting, and one slow answer must not hold up the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import structlog

T = TypeVar("T")

HANDS: Final = 8
# Whoever has not begun by then is left to the next ring. A job may take a minute, and what has
# begun must end within it.
PATIENCE_SECONDS: Final = 15.0

log = structlog.get_logger(__name__)


def each(work: Callable[..., None], items: Sequence[T], *, job: str) -> None:
    """
    Do something with each of a few things at once.

    What goes wrong with one is logged, and no other's fault: its row says how far it has come, and
    it is rung for again.

    Args:
        work: Called with an item, and `until`, the end of its patience (`time.monotonic`).
        items: With what.
        job: What the log calls it.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    with ThreadPoolExecutor(max_workers=min(HANDS, max(len(items), 1))) as hands:
        for _done in hands.map(partial(_one, work, job, until), items):
            pass


def _one(work: Callable[..., None], job: str, until: float, item: T) -> None:
    if time.monotonic() >= until:
        return
    try:
        work(item, until=until)
    except Exception:
        log.exception("mpesa.hand_failed", job=job, item=repr(item)[:60])
