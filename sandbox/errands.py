"""What happens later in the country: errands, and the few threads that run them when due."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

_ERRANDS_MAX = 20_000
"""Errands waiting at once; more are refused, as memory is not endless."""


class Errands:
    """A few threads that run errands when they are due, the earliest first."""

    def __init__(self, name: str, *, threads: int) -> None:
        self._name = name
        self._threads = threads
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._started = False
        self._closed = False

    def later(self, seconds: float, errand: Callable[[], object]) -> None:
        """Run an errand after so many seconds."""
        with self._changed:
            if self._closed or len(self._due) >= _ERRANDS_MAX:
                return
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), errand))
            if not self._started:  # started by the first errand, so after any fork of the server
                self._started = True
                for number in range(self._threads):
                    threading.Thread(
                        target=self._run, name=f"{self._name}-{number}", daemon=True
                    ).start()
            self._changed.notify()

    def close(self) -> None:
        """Drop what is still due and let the threads end."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    if self._closed:
                        return
                    wait = self._due[0][0] - time.monotonic() if self._due else None
                    self._changed.wait(wait)
                _, _, errand = heapq.heappop(self._due)
            try:
                errand()
            except Exception:
                log.exception("an errand failed")
