"""
A whole house in a temporary folder, whose processes and servers can be killed one by one.

What dies is started again at once, as whoever runs the product in earnest does; what is held down
stays down until it is let go.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import stack
from chaos.figures import say
from chaos.ruin import crash
from core import db, subscribers
from core.db import Databases
from core.subscribers import Person
from sandbox import guard, product, stores
from sandbox.engines import Engine, Postgres, Valkey

PEOPLE: Final = 400
# Two, as a bank would have: an order is executed once however many there are.
LEDGERS: Final = ("ledger", "ledger-2")
_LOOK_SECONDS: Final = 0.05
_BACKOFF_SECONDS: Final = 0.2
_ENDING_SECONDS: Final = 30.0


@dataclass
class House:
    """
    The running house.

    Args:
        home: The folder that everything lies in.
        postgres: The database's server, durable.
        valkey: Redis; what it is told is forgotten when it dies.
        ports: Where the web and the sandbox listen.
        databases: Connections as the tables' owner.
        web: Connections as the web.
        people: Who lives in it, each with money and a PIN.
    """

    home: Path
    postgres: Postgres
    valkey: Valkey
    ports: product.Ports
    environment: dict[str, str]
    databases: Databases
    web: Databases
    people: Sequence[Person]
    watcher: guard.Guard
    deaths: dict[str, int] = field(default_factory=dict)
    """How often a process ended that nobody had killed."""
    _commands: dict[str, list[str]] = field(default_factory=dict)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _tending: threading.Thread | None = None

    def open(self) -> None:
        """Start every process, and see to it that each is there from now on."""
        self._commands = product.servers(self.ports)
        for name in LEDGERS:
            self._commands[name] = self._commands[LEDGERS[0]]
        for name in self._commands:
            self._start(name)
        stack.until(lambda: product.answers(self.ports.web, "/ready"))
        stack.until(lambda: product.answers(self.ports.sandbox, "/live"))
        workers = {self._processes[name].pid for name in (*LEDGERS, "sms")}
        stack.until(lambda: workers <= stores.working(self.valkey.url))
        stack.until(lambda: stores.is_relayed(self.postgres.url))
        self._tending = threading.Thread(target=self._tend, name="tending", daemon=True)
        self._tending.start()

    def close(self) -> None:
        """End every process."""
        self._ended.set()
        if self._tending is not None:
            self._tending.join()
        running = [each for each in self._processes.values() if each.poll() is None]
        guard.end({each.pid: (guard.APPLICATION, signal.SIGTERM) for each in running})
        for each in running:
            each.wait(10)

    def kill(self, *names: str) -> None:
        """Kill processes, and whatever they have started; they are started again."""
        with self._lock:
            for name in names:
                process = self._processes[name]
                guard.kill(process.pid)
                process.wait(10)
                self._again(name)

    def works(self, name: str) -> bool:
        """Whether a worker is there, and not only being started; the relay, which has no queue."""
        pid = self._processes[name].pid
        return name == "relay" or pid in stores.working(self.valkey.url)

    def hurry(self, file: Path, names: Sequence[str]) -> None:
        """Let workers live by a clock that is ahead by what a file says, from now on."""
        for name in names:
            worker = name.partition("-")[0]
            self._commands[name] = [sys.executable, "-m", "chaos.hurried", str(file), worker]
            if name in self._processes:
                self.kill(name)
            else:
                with self._lock:
                    self._start(name)

    def lose_redis(self) -> None:
        """Kill Redis and start another that knows nothing."""
        crash(self.valkey)
        shutil.rmtree(self.valkey.data, ignore_errors=True)
        self.valkey.start()

    def crash_postgres(self, crashed: threading.Event, *, down_seconds: float = 0.0) -> None:
        """Kill PostgreSQL, say so, and start it again on what it left."""
        crash(self.postgres)
        crashed.set()
        time.sleep(down_seconds)
        self.postgres.start()
        self.databases.kw["bind"].dispose()  # ours alone: what the product does about it is seen

    @contextmanager
    def accompanied(self, command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        """Another program of ours, whose output is read; it ends with the block at the latest."""
        other = subprocess.Popen(
            command, cwd=stack.ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.watcher.add(other.pid, guard.APPLICATION, signal.SIGTERM)
        try:
            yield other
        finally:
            if other.poll() is None:
                other.terminate()  # it ends its own servers, and throws its own folder away
                other.wait(_ENDING_SECONDS)
            self.watcher.remove(other.pid)

    def _tend(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            with self._lock:
                for name, process in self._processes.items():
                    if process.poll() is not None:
                        self.deaths[name] = self.deaths.get(name, 0) + 1
                        say(f"{name} died unasked: {self._last_words(name)}")
                        guard.kill(process.pid)
                        self._again(name)

    def _last_words(self, name: str) -> str:
        lines = (self.home / f"{name}.log").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")

    def _again(self, name: str) -> None:
        self.watcher.remove(self._processes[name].pid)
        time.sleep(_BACKOFF_SECONDS)
        self._start(name)

    def _start(self, name: str) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                self._commands[name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=stack.ROOT,
                env=self.environment,
                start_new_session=True,
            )
        self._processes[name] = process
        self.watcher.add(process.pid, guard.APPLICATION, signal.SIGTERM)


@contextmanager
def running() -> Iterator[House]:
    """Start a house with people in it; end and forget all of it afterwards."""
    with ExitStack() as resources:
        home = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="kabambe-chaos-")))
        lock = resources.enter_context((home / "house.lock").open("w"))
        watcher = guard.Guard(lock.fileno())
        resources.callback(watcher.close)
        postgres, valkey = (
            _engine(kind, home, watcher, resources, fast=fast)
            for kind, fast in ((Postgres, False), (Valkey, True))
        )
        assert isinstance(postgres, Postgres)
        assert isinstance(valkey, Valkey)
        ports = product.Ports(stack.free_port(), stack.free_port())
        environment = product.environment(ports, postgres.url, valkey.url)
        environment["KABAMBE_HOME"] = str(home)  # where the country keeps its messages
        subprocess.run(product.migration(), cwd=stack.ROOT, env=environment, check=True, timeout=60)
        databases, web = db.connect(postgres.url), db.connect(postgres.url, role=db.WEB)
        for each in (databases, web):
            resources.callback(each.kw["bind"].dispose)
        msisdns = stack.open_people(databases, PEOPLE)
        with databases() as session:
            people = [subscribers.recipient(session, msisdn=each) for each in msisdns]
        house = House(home, postgres, valkey, ports, environment, databases, web, people, watcher)
        resources.callback(house.close)
        house.open()
        yield house


def _engine(
    kind: type[Engine], home: Path, watcher: guard.Guard, resources: ExitStack, *, fast: bool
) -> Engine:
    former: list[int] = []

    def launched(pid: int) -> None:
        while former:
            watcher.remove(former.pop())
        former.append(pid)
        watcher.add(pid, guard.ENGINE, kind.end_signal)

    engine = kind(home, fast=fast, launched=launched)
    resources.callback(engine.stop)
    return engine.start()
