"""
The sealer at work: a thread of the relay's process, which signs what was posted.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.seal import LEAVES_MAX, Sealer

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 1.0


class Sealing(threading.Thread):
    """Seals once a second, and at once again while there is more than one lot."""

    def __init__(self, sealer: Sealer) -> None:
        """Prepare; `start` begins it."""
        super().__init__(name="sealing", daemon=True)
        self._sealer = sealer
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                added = self._sealer.once()
            except (SQLAlchemyError, OSError, ValueError) as error:
                log.warning("seal.interrupted", error=type(error).__name__)
                added = 0
            if added:
                log.info("seal.sealed", leaves=added)
            if added < LEAVES_MAX:
                self._stopped.wait(POLL_SECONDS)

    def stop(self) -> None:
        """End it after what it is at."""
        self._stopped.set()
        self.join(timeout=5)
