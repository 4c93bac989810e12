"""
The rails' bell: rings their queue for whatever Postgres says is due. Part of the relay.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

from redis import Redis

from core import deposits, relaying, withdrawals
from core.db import Databases
from core.inbox import Inbox
from core.rails import CHECKOUTS
from workers.queues import Name, enqueue, is_deaf, queue

UNDERSTAND: Final = "workers.rail_work.understand"
WORK: Final = "workers.rail_work.work"
SWEEP: Final = "workers.rail_work.sweep"
JOBS: Final = (UNDERSTAND, WORK, SWEEP)

_IDS_PER_JOB: Final = 25
_SWEEP_SECONDS: Final = 15.0


class Ringing:
    """Rings for letters, for pages and payouts that wait, and for questions to be asked."""

    def __init__(self, databases: Databases, redis: Redis) -> None:
        """Take what it works with."""
        self._databases = databases
        self._line = queue(Name.RAILS, redis)
        self._swept_at = 0.0

    def once(self, now: datetime) -> None:
        """Ring for everything that is due now. Nothing is queued where no rail is in use."""
        if is_deaf(self._line):
            return
        for provider in CHECKOUTS:
            with self._databases.begin() as session:
                ids = relaying.due(session, box=Inbox, now=now, provider=provider)
                for first in range(0, len(ids), _IDS_PER_JOB):
                    some = ids[first : first + _IDS_PER_JOB]
                    enqueue(self._line, UNDERSTAND, ids=some)
        with self._databases() as session:
            is_due = deposits.is_due(session, now=now) or withdrawals.is_due(session, now=now)
            is_open = deposits.is_open(session) or withdrawals.is_open(session)
        if is_due:
            enqueue(self._line, WORK)
        if is_open and time.monotonic() - self._swept_at > _SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            enqueue(self._line, SWEEP)
