"""
The whole house as processes, on engines, folder and ports of its own.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from standin import until

from sandbox import product
from sandbox.engines import Postgres, Valkey

ROOT = Path(__file__).resolve().parents[2]
_STARTS_SECONDS = 90


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def running(home: Path) -> Iterator[str]:
    """Run web, workers and sandbox with the demo subscribers, and give the sandbox's URL."""
    ports = product.Ports(free_port(), free_port())
    with ExitStack() as stack:
        postgres, valkey = Postgres(home, fast=True), Valkey(home, fast=True)
        for engine in (postgres, valkey):
            stack.callback(engine.stop)
            engine.start()
        environment = product.environment(ports, postgres.url, valkey.url)
        environment["KABAMBE_HOME"] = str(home)
        for once in (product.migration(), product.demo()):
            subprocess.run(once, cwd=ROOT, env=environment, check=True, timeout=_STARTS_SECONDS)
        for name, command in product.servers(ports).items():
            log = stack.enter_context((home / f"{name}.log").open("wb"))
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
            stack.callback(_end, process)
        try:
            for port, path in ((ports.web, "/ready"), (ports.sandbox, "/live")):
                until(lambda at=port, of=path: product.answers(at, of), seconds=_STARTS_SECONDS)
        except AssertionError:
            for each in home.glob("*.log"):
                print(f"{each.name}:\n{each.read_text()[-2000:]}")  # noqa: T201 -- pytest shows it
            raise
        yield ports.sandbox_url


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
