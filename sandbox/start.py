"""The supervisor: `./run` alone. It starts the whole house, watches it, and ends it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from sandbox import children, guard, product, stores
from sandbox.children import Child, Gone
from sandbox.engines import Engine, EngineError, Postgres, Valkey, home
from sandbox.engines.places import private
from sandbox.engines.processes import alive
from sandbox.environment import variable
from sandbox.product import Ports, Refused

_LOOK_SECONDS = 0.03
_WATCH_SECONDS = 0.1
_READY_SECONDS = 60.0
_HANDOVER_SECONDS = 10.0
"""How long a killed predecessor's guard may take to end what it left."""


class Stopped(Exception):
    """Somebody asked it to end while it was still starting."""


def main(_: Sequence[str] = ()) -> int:
    """Run the house until it is told to stop; the answer is the exit status."""
    state = home()
    try:
        ports = Ports.chosen()
        with only_one(state, ports) as lock:
            ports.check_free()
            return House(state, ports, lock).live()
    except KeyboardInterrupt:  # before there was anything to stop
        return 0
    except (Refused, PermissionError) as refusal:
        say(f"Kabambe cannot start: {refusal}", sys.stderr)
        return 1


class House:
    """
    Everything that runs on one folder of state.

    Args:
        state: the folder.
        ports: where to listen.
        lock: the open file whose lock says that the folder is taken.

    """

    def __init__(self, state: Path, ports: Ports, lock: IO[str]) -> None:
        self._state = state
        self._ports = ports
        self._stopping = False
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Whoever starts us with nohup does not want us to end with the terminal.
            if asked != signal.SIGHUP or signal.getsignal(asked) != signal.SIG_IGN:
                signal.signal(asked, self._ask_to_stop)
        self._guard = guard.Guard(lock.fileno())
        self._engines: list[Engine] = []
        self._children: list[Child] = []

    def _ask_to_stop(self, *_: object) -> None:
        self._stopping = True

    def live(self) -> int:
        """Start, stay, stop; the answer is the exit status."""
        try:
            self._start()
            self._announce()
            self._watch()
        except Stopped:
            return 0
        except (EngineError, Gone, LookupError, Refused, stores.Unreachable) as failure:
            say(f"Kabambe stops: {failure}", sys.stderr)
            return 1
        else:
            return 0
        finally:
            self._stop()

    def _start(self) -> None:
        database_url = variable("DATABASE_URL") or self._engine(Postgres)
        is_current = stores.is_current(database_url)
        if redis_url := variable("REDIS_URL"):
            stores.check_redis(redis_url)
        else:
            redis_url = self._engine(Valkey)
        self._check_stop()
        environment = product.environment(self._ports, database_url, redis_url)
        logs = private(self._state / "logs")

        def child(name: str, command: list[str]) -> Child:
            made = Child(name, command, environment, logs, self._guard)
            self._children.append(made)
            made.start()
            return made

        if not is_current:
            say("Kabambe: bringing the database up to date …", sys.stderr)
            self._finish([child("migration", product.migration())])
        # The demo subscribers are opened while the others are still importing.
        passing = [child("demo", product.demo())]
        servers = {
            name: child(name, command) for name, command in product.servers(self._ports).items()
        }
        self._finish(passing)
        self._await("the web", lambda: product.answers(self._ports.web, "/live"))
        self._await("the sandbox", lambda: product.answers(self._ports.sandbox, "/"))
        workers = {servers[name].pid for name in ("ledger", "sms", "rails")}
        self._await("the workers", lambda: workers <= stores.working(redis_url))
        self._await("the relay", lambda: stores.is_relayed(database_url))
        self._await("the house", lambda: product.answers(self._ports.web, "/ready"))

    def _engine(self, kind: type[Engine]) -> str:
        former: list[int] = []

        def launched(pid: int) -> None:
            while former:
                self._guard.remove(former.pop())
            former.append(pid)
            self._guard.add(pid, guard.ENGINE, kind.end_signal)

        engine = kind(self._state, launched=launched)
        if not engine.data.exists():
            say(f"Kabambe: making a {kind.__name__} of its own …", sys.stderr)
        self._engines.append(engine)
        return engine.start().url

    def _finish(self, passing: list[Child]) -> None:
        """Wait until processes that do one thing have done it."""
        for child in passing:
            while (code := child.ended()) is None:
                self._look(except_for=passing)
            self._children.remove(child)
            if code:
                raise Gone(f"{child.name} {children.described(code)}:\n{child.tail()}")

    def _await(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not condition():
            self._look()
            if time.monotonic() > deadline:
                raise Gone(
                    f"{what} did not get ready in {_READY_SECONDS:.0f} s;"
                    f" the logs are in {self._state / 'logs'}"
                )

    def _look(self, except_for: list[Child] | None = None) -> None:
        """While starting: rest a moment, and see that nobody died and nobody wants us to stop."""
        time.sleep(_LOOK_SECONDS)
        self._check_stop()
        for child in self._children:
            if child not in (except_for or []) and (code := child.ended()) is not None:
                raise Gone(f"{child.name} {children.described(code)}:\n{child.tail()}")

    def _check_stop(self) -> None:
        if self._stopping:
            raise Stopped

    def _announce(self) -> None:
        web, sandbox = self._ports.web_url, self._ports.sandbox_url
        running = {"pid": os.getpid(), "web": web, "sandbox": sandbox}
        _write(self._state / "running.json", json.dumps(running))
        say(_WELCOME.format(sandbox=sandbox, code=product.SERVICE_CODE, state=self._state))
        say(f"ready: {web}")

    def _watch(self) -> None:
        while not self._stopping:
            time.sleep(_WATCH_SECONDS)
            self._guard.look()
            for engine in self._engines:
                if not engine.runs():
                    say(f"{engine.name} ended; it is started again (see {engine.log})", sys.stderr)
                    engine.start()
            for child in self._children:
                if news := child.tend():
                    say(news, sys.stderr)

    def _stop(self) -> None:
        (self._state / "running.json").unlink(missing_ok=True)
        children.stop(self._children)
        for engine in reversed(self._engines):
            engine.stop(adopted=True)
        self._guard.close()


# The people are those of sandbox/demo.py, which takes too long to import for a few words.
_WELCOME = """\

Kabambe is running.
  Phone page  {sandbox}/
  Dial {code} as
              0712000001  Wanjiru
              0733000002  Otieno
              0712000003  Amina, in Kiswahili
              PIN 4071
  Terminal    ./run dial '{code}' --as 0712000001
  Ctrl-C stops all of it. State and logs: {state}
"""


@contextlib.contextmanager
def only_one(state: Path, ports: Ports) -> Iterator[IO[str]]:
    """
    Hold a folder of state, so that one house at most lives on it.

    Raises:
        Refused: another does.

    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / "house.lock").open("a+") as file:
        deadline = time.monotonic() + _HANDOVER_SECONDS
        while not _lock(file):
            pid, address = _holder(state)
            if (pid and alive(pid)) or time.monotonic() > deadline:
                raise Refused(
                    f"it already runs on {state}, at {address} (process {pid})."
                    " Stop that with Ctrl-C first; or for a second one,"
                    " set KABAMBE_HOME, PORT and SANDBOX_PORT"
                )
            time.sleep(_LOOK_SECONDS)
        _write(state / "house.json", json.dumps({"pid": os.getpid(), "web": ports.web_url}))
        yield file


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(state: Path) -> tuple[int, str]:
    try:
        words = json.loads((state / "house.json").read_text())
        return int(words["pid"]), str(words["web"])
    except (OSError, ValueError, KeyError):
        return 0, "an address not yet known"


def _write(path: Path, words: str) -> None:
    """Replace a file as a whole, so that nobody reads half of it."""
    new = path.with_suffix(".new")
    new.write_text(words + "\n", encoding="utf-8")
    new.replace(path)


def say(words: str, to: IO[str] | None = None) -> None:
    """Print a line; a terminal that was closed is no reason to leave things running."""
    with contextlib.suppress(OSError):
        print(words, file=to or sys.stdout, flush=True)
