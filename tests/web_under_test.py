"""
The web as it is served, before a PostgreSQL and a Redis of its own that can be stopped and frozen.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime

import requests
from bank import Bank
from databases import migrate
from processes import ROOT, environment, until
from redis import Redis

from core import db
from core.pins import Hasher
from sandbox.engines import Postgres, Valkey

PEPPER = "sandbox-pin-pepper"


def free_port() -> int:
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


STARTS_SECONDS = 120  # of a machine that others keep busy


class Web:
    """Two processes of eight threads, and the engines behind them."""

    def __init__(self, house, home) -> None:
        self.postgres, self.valkey = Postgres(home, fast=True), Valkey(home, fast=True)
        with ExitStack() as undo:  # whatever fails to come up leaves nothing running
            for engine in (self.postgres, self.valkey):
                undo.callback(engine.stop)
                engine.start()
            self._begin(house, undo)
            undo.pop_all()

    def _begin(self, house, undo: ExitStack) -> None:
        migrate(self.postgres.url)
        self.bank = Bank(db.connect(self.postgres.url), Hasher(PEPPER, cheap=True))
        self.redis = Redis.from_url(self.valkey.url)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        told = environment(house) | {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "PORT": str(port),
        }
        words = ("-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "wsgi:app")
        self.process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=told)
        undo.callback(self._end)
        until(self.is_live, seconds=STARTS_SECONDS)

    def _end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)

    def close(self) -> None:
        self._end()
        self.bank.owner.kw["bind"].dispose()
        self.redis.close()
        self.postgres.stop()
        self.valkey.stop()

    def opens(self, msisdn: str, *, name: str, language: str = "en") -> None:
        now = datetime.now(UTC)
        self.bank.open(msisdn, name=name, language=language, balance="1,000", now=now)

    @contextmanager
    def frozen(self, engine) -> Iterator[None]:
        """Let an engine say nothing until the block ends; its sockets still take what comes."""
        server = engine.pid
        children = subprocess.run(["pgrep", "-P", str(server)], capture_output=True, check=False)
        pids = (server, *map(int, children.stdout.split()))
        try:
            _signal(pids, signal.SIGSTOP)
            yield
        finally:
            _signal(pids, signal.SIGCONT)

    @contextmanager
    def stopped(self, engine) -> Iterator[None]:
        """Let nobody be there until the block ends."""
        if engine is self.postgres:
            self.bank.owner.kw["bind"].dispose()
        engine.stop()
        try:
            yield
        finally:
            engine.start()

    @contextmanager
    def locked(self, what: str) -> Iterator[None]:
        """Hold locks that every hop needs."""
        with self.bank.owner() as session:
            session.connection().exec_driver_sql(what)
            yield
            session.rollback()

    def live(self) -> float:
        """How long `/live` takes."""
        began = time.monotonic()
        assert requests.get(f"{self.url}/live", timeout=10).status_code == 200
        return time.monotonic() - began

    def is_live(self) -> bool:
        try:
            return self.live() >= 0
        except requests.RequestException:
            return False

    def hop(
        self, session: str, text: str = "", *, msisdn: str = "+254712000001"
    ) -> tuple[str, float]:
        """What is said, and after how many seconds."""
        began = time.monotonic()
        said = requests.post(
            f"{self.url}/ussd/africastalking/sandbox",
            data={
                "sessionId": session,
                "phoneNumber": msisdn,
                "serviceCode": "*384#",
                "networkCode": "63902",
                "text": text,
            },
            timeout=20,
        )
        assert said.status_code == 200
        return said.text, time.monotonic() - began


@contextmanager
def opened(house, folder) -> Iterator[Web]:
    """Serve one in which Wanjiru and Otieno have accounts; end it afterwards."""
    web = Web(house, folder)
    try:
        for number, name in enumerate(("Wanjiru", "Otieno"), 1):
            web.opens(f"+25471200000{number}", name=name)
        yield web
    finally:
        web.close()


def _signal(pids: Iterable[int], what: signal.Signals) -> None:
    """Tell processes; one of a server's own may have ended meanwhile."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)
