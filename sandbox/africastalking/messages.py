"""What the phones of the country have received, kept in memory and in a small append-only file."""

from __future__ import annotations

import itertools
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

log = logging.getLogger(__name__)

KEPT_MAX = 5_000
"""Messages kept; the oldest make room."""

_REPLAYED_MAX = 200
"""Messages a new stream starts with, so that opening a page stays quick."""

Event = Literal["message", "emptied", "ping"]


@dataclass(frozen=True)
class Message:
    """One SMS on a handset."""

    id: str
    to: str
    sender: str
    text: str
    at: datetime
    place: int = 0
    """Its place in the order of arrival, counted since this process started."""

    def shown(self) -> dict[str, str]:
        """Say it as the list and the stream do."""
        at = self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"to": self.to, "from": self.sender, "message": self.text, "at": at}


class Messages:
    """The messages of every number, oldest first; safe to share between threads."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._changed = threading.Condition()
        self._places = itertools.count(1)
        self._kept: deque[Message] = deque(maxlen=KEPT_MAX)
        self._emptied = 0
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._recall(file)

    def add(self, *, message_id: str, to: str, sender: str, text: str) -> None:
        """Deliver a message to the handset of `to`, and wake whoever follows."""
        with self._changed:
            at = datetime.now(UTC)
            if self._kept:
                at = max(at, self._kept[-1].at)  # a clock set back must not reorder the list
            message = Message(message_id, to, sender, text, at, next(self._places))
            self._kept.append(message)
            if self._file is not None:
                with self._file.open("a", encoding="utf-8") as out:
                    out.write(_line(message))
            self._changed.notify_all()

    def received(self, to: str | None = None) -> list[Message]:
        """List what a number has received, oldest first; without a number, everything."""
        with self._changed:
            return [message for message in self._kept if to is None or message.to == to]

    def empty(self) -> None:
        """Forget every message."""
        with self._changed:
            self._kept.clear()
            self._emptied += 1
            if self._file is not None:
                self._file.write_text("", encoding="utf-8")
            self._changed.notify_all()

    def follow(
        self, *, last_id: str, ping_seconds: float, life_seconds: float
    ) -> Iterator[tuple[Event, Message | None]]:
        """
        Yield every message after the one with the id `last_id`, as it arrives.

        An unknown id starts from the beginning. A ping is yielded whenever `ping_seconds` pass
        without news; the stream ends after `life_seconds`, and its reader resumes.
        """
        ends = time.monotonic() + life_seconds
        with self._changed:
            seen, emptied = self._place(last_id), self._emptied
        yield "ping", None  # the first bytes tell the reader that it is connected
        while (left := ends - time.monotonic()) > 0:
            with self._changed:
                self._changed.wait_for(
                    partial(self._has_news, seen, emptied),
                    timeout=min(ping_seconds, left),
                )
                was_emptied, emptied = self._emptied != emptied, self._emptied
                fresh = [message for message in self._kept if message.place > seen]
            if was_emptied:
                yield "emptied", None
            for message in fresh:
                seen = message.place
                yield "message", message
            if not fresh and not was_emptied:
                yield "ping", None

    def _has_news(self, seen: int, emptied: int) -> bool:
        return self._emptied != emptied or self._newest() > seen

    def _newest(self) -> int:
        return self._kept[-1].place if self._kept else 0

    def _place(self, message_id: str) -> int:
        found = (message.place for message in self._kept if message.id == message_id)
        start = max(0, self._newest() - _REPLAYED_MAX)
        return next(found, start)

    def _recall(self, file: Path) -> None:
        """Read the file of an earlier run; a line cut short by a power cut is left out."""
        if not file.exists():
            return
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines[-KEPT_MAX:]:
            try:
                fields = json.loads(line)
                at = datetime.fromisoformat(fields["at"])
                message = Message(
                    str(fields["id"]),
                    str(fields["to"]),
                    str(fields["from"]),
                    str(fields["message"]),
                    at.astimezone(UTC),
                    next(self._places),
                )
            except (ValueError, KeyError, TypeError):
                log.warning("left out a message of %s that cannot be read", file)
                continue
            self._kept.append(message)
        # Rewritten whole, so that the file neither grows for ever nor keeps a line cut short.
        fresh = file.with_suffix(".new")
        fresh.write_text("".join(map(_line, self._kept)), encoding="utf-8")
        fresh.replace(file)


def _line(message: Message) -> str:
    return json.dumps({"id": message.id, **message.shown()}) + "\n"
