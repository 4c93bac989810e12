"""An embedded PostgreSQL."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from sandbox.engines import binaries
from sandbox.engines.engine import Engine, EngineError, Words, environment
from sandbox.engines.places import private, sockets
from sandbox.engines.processes import alive, command, within

NAME = "kabambe"
"""The role and the database."""

_INITDB_SECONDS = 120
_LEAVE_SECONDS = 10.0
_RETRY_SECONDS = 0.2
_OCCUPIED = "is still in use"
_STATUS_LINE = 8  # of postmaster.pid, since PostgreSQL 10

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # It would come by when it likes, and leave room for later rows before earlier ones.
    "autovacuum": "off",
}


class Postgres(Engine):
    """A PostgreSQL with one database, for whoever may enter the folder of its socket."""

    name = "postgres"
    end_signal = signal.SIGINT  # "fast": sessions are ended, nothing is waited for, nothing lost

    @property
    def url(self) -> str:
        folder = quote(str(sockets(self.home)), safe="/")
        return f"postgresql+psycopg2://{NAME}@/{NAME}?host={folder}"

    @property
    def socket_path(self) -> Path:
        return sockets(self.home) / ".s.PGSQL.5432"

    @property
    def data(self) -> Path:
        return self.home / "pg" / "data"

    @property
    def pid(self) -> int | None:
        pid, _ = self._postmaster()
        return pid if pid and str(self.data) in command(pid) else None

    def _postmaster(self) -> tuple[int, str]:
        """The process and the status that the server last wrote down; it may be long gone."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return int(lines[0]), lines[_STATUS_LINE - 1].strip() if len(
                lines
            ) >= _STATUS_LINE else ""
        except (OSError, ValueError, IndexError):
            return 0, ""

    def _adopt(self) -> bool:
        """Adopt the server of this folder; one that is on its way out is waited for."""
        if (pid := self.pid) is None:
            self._forget_namesake()
            return False
        within(_LEAVE_SECONDS, lambda: not alive(pid) or self._postmaster()[1] == "ready")
        if not alive(pid):
            return False
        if self._postmaster() != (pid, "ready"):
            raise EngineError(f"PostgreSQL (process {pid}) neither starts nor ends: see {self.log}")
        self._connect().close()
        return True

    def _forget_namesake(self) -> None:
        """
        Remove what a killed server left, when its process id is another program's by now.

        PostgreSQL would take that program for the server and refuse to start. When the id is
        nobody's, PostgreSQL sees so itself.
        """
        pid, _ = self._postmaster()
        if not pid or not alive(pid):
            return
        socket = self.socket_path
        for path in (self.data / "postmaster.pid", socket, socket.with_name(f"{socket.name}.lock")):
            path.unlink(missing_ok=True)

    def _ready(self) -> bool:
        # A file left by a killed server says "ready" too: the process must be ours.
        return self._process is not None and self._postmaster() == (self._process.pid, "ready")

    def _start(self) -> None:
        programs = binaries.postgres()
        private(self.data.parent)
        if not self.data.exists():
            self._create(programs)
        settings = _SETTINGS | (_FAST if self.fast else {}) | dict(self.settings)
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server: Words = [programs / "postgres", "-D", self.data, "-k", self.socket_path.parent]
        command_line = self._launch(*server, *options, ordinary=(self.data,))
        deadline = time.monotonic() + _LEAVE_SECONDS
        while True:
            try:
                self._serve(command_line)
            except EngineError as error:
                # A killed server's sessions end by themselves, but a busy one only after its query.
                if _OCCUPIED not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _create(self, programs: Path) -> None:
        """Make the data folder and the database: beside its place first, so never by halves."""
        new = self.data.with_name("new")
        if new.exists():
            shutil.rmtree(new)
        new.mkdir(mode=0o700)
        initdb: Words = [programs / "initdb", "-D", new, "-U", NAME, "--auth=trust", "-E", "UTF8"]
        self._once(new, *initdb, "--locale=C", "--no-instructions", "--no-sync")
        single: Words = [programs / "postgres", "--single", "-D", new, "postgres"]
        self._once(new, *single, words=f"CREATE DATABASE {NAME}\n")
        new.replace(self.data)

    def _once(self, folder: Path, *arguments: str | Path, words: str = "") -> None:
        ran = subprocess.run(
            self._launch(*arguments, ordinary=(folder,)),
            input=words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd="/",
            env=environment(),
            timeout=_INITDB_SECONDS,
        )
        if ran.returncode:
            program = Path(arguments[0]).name
            raise EngineError(f"PostgreSQL's {program} failed:\n{ran.stdout}")
