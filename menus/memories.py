"""What a process of the web remembers of the sessions whose last hop it answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Of so many sessions, a kilobyte or two of each.
MEMORIES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Memory:
    """
    What was committed last of a session: enough to go on by, and to be found out by.

    Args:
        owner: Whose session it is.
        digest: The keyed hash of the text that was answered.
        token: What the turn was held under: whoever had one since has left another.
        state: Where the session is, as it was saved.
    """

    owner: str
    digest: str
    token: str
    state: bytes


class Memories:
    """The newest of them, each for as long as Redis would remember the session."""

    def __init__(
        self, *, ttl_seconds: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with nothing, by a clock in seconds."""
        self._ttl_seconds = ttl_seconds
        self._monotonic = monotonic
        self._mutex = threading.Lock()
        self._by_session: dict[str, tuple[float, Memory]] = {}  # the oldest first

    def put(self, session_id: str, memory: Memory) -> None:
        """Remember a session's last turn, and forget what is old."""
        now = self._monotonic()
        with self._mutex:
            self._by_session.pop(session_id, None)
            self._by_session[session_id] = now + self._ttl_seconds, memory
            while len(self._by_session) > MEMORIES_MAX or self._oldest_until() < now:
                del self._by_session[next(iter(self._by_session))]

    def taken(self, session_id: str) -> Memory | None:
        """What is remembered of a session, once: it is good for no more than one turn."""
        with self._mutex:
            until, memory = self._by_session.pop(session_id, (0.0, None))
        return memory if until >= self._monotonic() else None

    def _oldest_until(self) -> float:
        return next(iter(self._by_session.values()))[0]
