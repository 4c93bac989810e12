"""
A throw-away house for a benchmark: durable engines, every process, and people with money.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from core import chart, db, ledger, pins, subscribers
from core.audit import Actor
from core.db import Databases
from core.ledger import Draft, Reason
from core.money import Currency
from core.pins import Hasher
from core.subscribers import Language, Tier
from sandbox import product
from sandbox.engines import Postgres, Valkey

ROOT = Path(__file__).resolve().parents[1]
PIN = "4071"
NAME = "Bench"
FORTUNE = 50_000_00
_STARTS_SECONDS = 120
OPENER = Actor("system", "bench", "stack")


@dataclass
class Stack:
    """The running house."""

    ports: product.Ports
    floor_port: int
    environment: dict[str, str]
    databases: Databases
    people: Sequence[str]
    processes: dict[str, subprocess.Popen[bytes]]
    home: Path

    def start(self, name: str, command: Sequence[str], **more: str) -> None:
        """Start a process; its log lies in the house."""
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603 - our own commands
                command, cwd=ROOT, env=self.environment | more, stdout=log, stderr=log
            )

    def stop(self, name: str) -> None:
        """End a process and wait for it."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def stop_all(self) -> None:
        """End every process."""
        for name in list(self.processes):
            self.stop(name)


@contextlib.contextmanager
def running(
    people: int, *, server: Mapping[str, str] | None = None, **settings: str
) -> Iterator[Stack]:
    """
    Start the house with so many people in it; end all of it afterwards.

    Args:
        people: How many.
        server: What PostgreSQL is started with beside what it always is.
        settings: The processes' environment.
    """
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kabambe-bench-")))
        postgres, valkey = Postgres(home, settings=server), Valkey(home)
        for engine in (postgres, valkey):
            stack.callback(engine.stop)
            engine.start()
        ports = product.Ports(free_port(), free_port())
        environment = product.environment(ports, postgres.url, valkey.url) | settings
        environment["KABAMBE_HOME"] = str(home)  # where the phones keep their messages
        subprocess.run(product.migration(), cwd=ROOT, env=environment, check=True, timeout=60)  # noqa: S603 - our own command
        databases = db.connect(postgres.url)
        stack.callback(databases.kw["bind"].dispose)
        house = Stack(
            ports, free_port(), environment, databases, open_people(databases, people), {}, home
        )
        stack.callback(house.stop_all)
        for name, command in product.servers(ports).items():
            house.start(name, command)
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py"]
        house.start("floor", [*gunicorn, "bench.floor:app"], PORT=str(house.floor_port))
        until(lambda: product.answers(ports.web, "/ready"))
        until(lambda: _listens(house.floor_port) and _listens(ports.sandbox))
        yield house


def until(condition: object, *, seconds: float = _STARTS_SECONDS) -> None:
    """Wait for something to become true."""
    assert callable(condition)
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError("waited in vain; is another program in the way?")
        time.sleep(0.05)


def balanced(databases: Databases) -> bool:
    """Whether every currency sums to zero, and every balance equals its entries."""
    with databases() as session:
        wrong = session.scalar(
            text("""
                SELECT count(*) FROM (
                    SELECT a.id FROM accounts a LEFT JOIN entries e ON e.account_id = a.id
                    GROUP BY a.id HAVING coalesce(sum(e.amount), 0) <> a.balance + coalesce(
                        (SELECT sum(u.amount) FROM unrolled u WHERE u.account_id = a.id), 0)
                    UNION ALL SELECT 0 FROM entries HAVING sum(amount) <> 0
                    UNION ALL SELECT o.id FROM orders o LEFT JOIN journals j ON j.key = o.key
                    WHERE (o.state = 'done') <> (j.id IS NOT NULL)
                ) AS off
            """)
        )
    return int(wrong or 0) == 0


def undone(databases: Databases) -> int:
    """How many orders nobody has executed, and how many messages nobody has sent."""
    with databases() as session:
        found = session.scalar(
            text("""
                SELECT (SELECT count(*) FROM orders WHERE state = 'placed')
                    + (SELECT count(*) FROM outbox WHERE done_at IS NULL)
            """)
        )
    return int(found or 0)


def open_people(databases: Databases, count: int) -> list[str]:
    """Open subscribers with one PIN, hashed once as the product hashes, and money to send."""
    now = datetime.now(UTC)
    people = [f"+25471{number:07}" for number in range(count)]
    hashed = Hasher("sandbox-pin-pepper").hash(PIN)
    with databases.begin() as session:
        cash = chart.SANDBOX_CASH.open(session, currency=Currency.KES)
        drafts = []
        for msisdn in people:
            subscriber = subscribers.register(
                session,
                msisdn=msisdn,
                name=NAME,
                language=Language.ENGLISH,
                terms_version="bench",
                now=now,
            )
            subscribers.set_tier(
                session,
                subscriber=subscriber,
                tier=Tier.VERIFIED,
                actor=OPENER,
                note="opened for play",
                now=now,
            )
            session.add(pins.Pin(subscriber_id=subscriber, hash=hashed, changed_at=now))
            account = subscribers.recipient(session, msisdn=msisdn).account_id
            legs = {cash: -FORTUNE, account: FORTUNE}
            drafts.append(Draft(f"bench:{msisdn}", Reason.OPENING, legs))
        ledger.post(session, drafts=drafts, now=now)
        session.execute(text("ANALYZE"))
    return people


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
