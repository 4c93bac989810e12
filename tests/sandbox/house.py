"""
The whole house as processes, on engines, folder and ports of its own.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from sandbox.engines import Postgres, Valkey

ROOT = Path(__file__).resolve().parents[2]
_STARTS_SECONDS = 40


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def running(home: Path) -> Iterator[str]:
    """Run web, workers and sandbox with the demo subscribers, and give the sandbox's URL."""
    web, country = free_port(), free_port()
    with ExitStack() as stack:
        postgres, valkey = Postgres(home, fast=True), Valkey(home, fast=True)
        for engine in (postgres, valkey):
            stack.callback(engine.stop)
            engine.start()
        environment = {
            "PATH": str(Path(sys.executable).parent),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
            "PORT": str(web),
            "SANDBOX_PORT": str(country),
            "KABAMBE_HOME": str(home),
            "KABAMBE_ENVIRONMENT": "sandbox",
            "KABAMBE_PIN_PEPPER": "sandbox-pepper-of-a-test",
            "KABAMBE_TURN_KEY": "sandbox-turn-key-of-a-test",
            "KABAMBE_AFRICASTALKING__USERNAME": "sandbox",
            "KABAMBE_AFRICASTALKING__API_KEY": "sandbox-api-key-of-a-test",
            "KABAMBE_AFRICASTALKING__SENDER_ID": "KABAMBE",
            "KABAMBE_AFRICASTALKING__CALLBACK_TOKEN": "sandbox",
            "KABAMBE_AFRICASTALKING__URL": f"http://127.0.0.1:{country}/africastalking",
        }
        for once in ("alembic upgrade head", "sandbox.demo"):
            subprocess.run(
                [sys.executable, "-m", *once.split()],
                cwd=ROOT,
                env=environment,
                check=True,
                timeout=_STARTS_SECONDS,
            )
        bind = f"--workers 1 --threads 32 --no-control-socket --bind 127.0.0.1:{country}"
        for command in (
            "gunicorn -c deploy/gunicorn.conf.py wsgi:app",
            f"gunicorn {bind} --graceful-timeout 1 sandbox.country:app",
            "workers ledger",
            "workers sms",
            "workers relay",
        ):
            log = stack.enter_context((home / f"{command.split()[-1]}.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", *command.split()],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
            stack.callback(_end, process)
        for url in (f"http://127.0.0.1:{web}/ready", f"http://127.0.0.1:{country}/live"):
            _wait_for(url, home)
        yield f"http://127.0.0.1:{country}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def _wait_for(url: str, home: Path) -> None:
    ends = time.monotonic() + _STARTS_SECONDS
    while True:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            pass
        if time.monotonic() > ends:
            logs = "\n".join(f"{log.name}: {log.read_text()[-1000:]}" for log in home.glob("*.log"))
            raise AssertionError(f"{url} is not ready\n{logs}")
        time.sleep(0.05)
