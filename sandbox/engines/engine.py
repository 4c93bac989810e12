"""What PostgreSQL and Valkey have in common as processes of ours."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from sandbox.engines.places import locked, private, sockets
from sandbox.engines.processes import alive, within

_LAUNCH = Path(__file__).with_name("launch.py")
_START_SECONDS = 30.0
_STOP_SECONDS = 8.0
_LOG_TAIL_BYTES = 2000

Words = list[str | Path]
"""A command line."""


class EngineError(Exception):
    """An engine did not start; the words say why, with the end of its log."""


class Engine(ABC):
    """
    One server on one folder: started once, however many ask.

    Args:
        home: where state lives; the server keeps its data in a folder of its own below.
        fast: for tests: what is written need not survive the machine.
        launched: is told the process id of a server as soon as it has one.

    """

    name: str
    end_signal: signal.Signals
    """How the server is asked to end at once without harm."""

    def __init__(
        self,
        home: Path,
        *,
        fast: bool = False,
        launched: Callable[[int], None] = lambda _: None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home.absolute()
        self.settings = settings or {}
        self.fast = fast
        self._launched = launched
        self.adopted = False
        """Whether the server was already running when it was asked for."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where a client finds the server."""

    @property
    @abstractmethod
    def socket_path(self) -> Path:
        """The Unix socket it listens on."""

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """The running server's process, whoever started it; None when it does not run."""

    @property
    def log(self) -> Path:
        return self.home / "logs" / f"{self.name}.log"

    @property
    def data(self) -> Path:
        return self.home / self.name

    def start(self) -> Self:
        """
        Start the server, or adopt the one that runs, and wait until it answers.

        Raises:
            LookupError: there is no such engine on this machine.
            EngineError: it did not start.

        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        private(self.log.parent)
        sockets(self.home)
        with locked(self.home / f"{self.name}.lock"):
            self.adopted = self._adopt()
            if not self.adopted:
                self._start()
            elif pid := self.pid:
                self._launched(pid)
        return self

    def runs(self) -> bool:
        """Whether the server that was started or adopted is still there."""
        if self._process is not None:
            return self._process.poll() is None
        return self.pid is not None

    def stop(self, *, adopted: bool = False) -> None:
        """End the server if it was started here, or with `adopted` whoever started it."""
        if self._process is not None:
            self._end(self._process)
            self._process = None
        elif adopted and (pid := self.pid):
            os.kill(pid, self.end_signal)
            within(_STOP_SECONDS, lambda: not alive(pid))

    @abstractmethod
    def _adopt(self) -> bool:
        """Whether a server already answers on this folder."""

    @abstractmethod
    def _start(self) -> None:
        """Start one, knowing that none runs."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether the server started here answers."""

    def _launch(self, *arguments: str | Path, ordinary: tuple[Path, ...] = ()) -> list[str]:
        """
        The command line that becomes a server.

        Args:
            arguments: the program and what it is told.
            ordinary: the folders that must be its own when it may not run as root.

        """
        launch = [sys.executable, "-IS", str(_LAUNCH), str(os.getpid())]
        return [*launch, *map(str, ordinary), "--", *map(str, arguments)]

    def _serve(self, command: list[str]) -> None:
        """Start the server's process and wait until it answers."""
        with self.log.open("ab") as log:
            said_before = log.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(),
                start_new_session=True,
            )
        self._process = process
        self._launched(process.pid)
        answered = within(_START_SECONDS, lambda: process.poll() is not None or self._ready())
        if process.poll() is None and answered:
            return
        self._end(process)
        self._process = None
        said = self.log.read_bytes()[said_before:][-_LOG_TAIL_BYTES:].decode(errors="replace")
        raise EngineError(f"{self.name} did not start; the end of {self.log}:\n{said}")

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.send_signal(self.end_signal)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_STOP_SECONDS)

    def _connect(self) -> socket.socket:
        """
        A connection to the server's socket, with a timeout.

        Raises:
            OSError: nobody listens.

        """
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(2)
        try:
            connection.connect(str(self.socket_path))
        except OSError:
            connection.close()
            raise
        return connection


def environment() -> dict[str, str]:
    """What an engine is told of its surroundings: nothing of the caller's that could change it."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
