"""The processes the sandbox keeps running, each with a log of its own."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import guard
from sandbox.engines.places import REPOSITORY

_TAIL_LINES = 20
_TAIL_BYTES = 8000

_BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
_STEADY_SECONDS = 30.0
"""A process that lived so long died of something new: its earlier deaths are forgotten."""


class Gone(Exception):
    """A process ended that should not have, or does not stay; the words say which and why."""


@dataclass
class Child:
    """
    One process of the product, leader of a session of its own.

    Args:
        name: what it is called in messages; its log is `<name>.log`.
        command: the program and its arguments.
        environment: the whole of its environment.
        logs: the folder its log lies in.
        watcher: who ends it when the sandbox cannot.

    """

    name: str
    command: list[str]
    environment: dict[str, str]
    logs: Path
    watcher: guard.Guard
    _process: subprocess.Popen[bytes] | None = None
    _born: float = 0.0
    _again_at: float = 0.0
    _deaths: int = field(default=0, repr=False)

    @property
    def log(self) -> Path:
        return self.logs / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, *, fresh: bool = True) -> None:
        """Start it; a fresh start begins its log anew."""
        with self.log.open("wb" if fresh else "ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
                env=self.environment,
                start_new_session=True,
            )
        self._born = time.monotonic()
        self.watcher.add(self._process.pid, guard.APPLICATION, signal.SIGTERM)

    def ended(self) -> int | None:
        """How it ended; None while it runs."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is not None:
            self.watcher.remove(self._process.pid)
        return code

    def tend(self) -> str:
        """
        Start it again if it died, a little later each time.

        Returns: what there is to say about it, if anything.

        Raises:
            Gone: it dies again and again.

        """
        now = time.monotonic()
        if self._again_at:
            if now >= self._again_at:
                self._again_at = 0.0
                self.start(fresh=False)
            return ""
        code = self.ended()
        if code is None or self._process is None:
            return ""
        guard.kill(self._process.pid)  # a dead server's workers would keep its port
        if now - self._born > _STEADY_SECONDS:
            self._deaths = 0
        if self._deaths == len(_BACKOFF_SECONDS):
            raise Gone(f"{self.name} does not stay up ({described(code)}):\n{self.tail()}")
        self._again_at = now + _BACKOFF_SECONDS[self._deaths]
        self._deaths += 1
        return f"{self.name} {described(code)}; it is started again (see {self.log})"

    def tail(self) -> str:
        """The last lines of its log, indented."""
        words = self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
        return "\n".join(f"  {line}" for line in words.splitlines()[-_TAIL_LINES:])


def stop(children: list[Child]) -> None:
    """End processes: all are asked at once, and killed when they do not answer."""
    running = [child for child in children if child.pid and child.ended() is None]
    pids = [child.pid for child in running if child.pid]
    guard.end(dict.fromkeys(pids, (guard.APPLICATION, signal.SIGTERM)))
    for child in running:
        child.ended()


def described(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with {code}"
