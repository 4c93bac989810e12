"""`./run` as a person starts it, with a folder of state of its own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from pathlib import Path

from sandbox.environment import everything

REPOSITORY = Path(__file__).parents[2]
READY_SECONDS = 60
"""A machine that runs other tests at the same time is slow."""
STOP_SECONDS = 6


def free_ports(count=2):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Run:
    """One `./run`, with a folder of state that has this environment's packages already."""

    def __init__(self, home, *, ports=None, arguments=(), **variables):
        home.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            (home / "venv").symlink_to(sys.prefix)
        self.home = home
        self.web, self.sandbox = ports or free_ports()
        inherited = everything()
        for name in ("DATABASE_URL", "REDIS_URL"):
            inherited.pop(name, None)
        own = {
            "KABAMBE_HOME": str(home),
            "PORT": str(self.web),
            "SANDBOX_PORT": str(self.sandbox),
        }
        self.process = subprocess.Popen(
            [REPOSITORY / "run", *arguments],
            cwd="/",
            env=inherited | own | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("ready:"):
                self._ready.set()
        self._ready.set()

    @property
    def words(self):
        return "".join(self.said)

    def ready(self):
        assert self._ready.wait(READY_SECONDS)
        assert self.process.poll() is None, self.words
        return self

    def ended(self):
        """Wait until it ended by itself; its exit status."""
        code = self.process.wait(READY_SECONDS)
        self._reader.join(5)
        return code

    def clean_up(self):
        """After a test that failed: leave nothing."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        self.process.stdout.close()
