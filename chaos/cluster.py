"""
A PostgreSQL of its own in a temporary folder, with the product's schema and people in it.

Each experiment has a database to itself, cloned from the first; breaking one breaks no other.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import make_url, text

from bench import stack
from chaos.ruin import crash
from core import chart, db, ledger, subscribers
from core.db import Databases
from core.ledger import Draft, Reason
from core.money import Currency
from core.subscribers import Person
from sandbox import product
from sandbox.engines import Postgres

PEOPLE: Final = 60
DOLLARS: Final = 500_00

# As embedded for anybody: fsync and synchronous_commit on. Checkpoints in the middle of it all.
_SETTINGS: Final = {"checkpoint_timeout": "30s", "max_wal_size": "256MB"}


def now() -> datetime:
    """What time it is."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Book:
    """
    A database with the book in it: its address, and the accounts that money moves between.

    The lists are account ids: a person's shillings and dollars stand at the same place in both.
    """

    url: str
    people: Sequence[Person]
    shillings: Sequence[int]
    dollars: Sequence[int]
    fees: int
    liquidity: tuple[int, int]
    spread: int

    @contextmanager
    def opened(self, *, role: str | None = None, connections_max: int = 2) -> Iterator[Databases]:
        """Connections to it, for as long as the block lasts."""
        databases = db.connect(self.url, role=role, connections_max=connections_max)
        try:
            yield databases
        finally:
            databases.kw["bind"].dispose()

    def run(self, *statements: str) -> None:
        """Run statements as the owner of the tables, each for itself."""
        with self.opened() as databases, databases.kw["bind"].connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            for statement in statements:
                alone.exec_driver_sql(statement)


@dataclass
class Cluster:
    """The running server."""

    home: Path
    postgres: Postgres
    first: Book

    def database(self, name: str) -> Book:
        """Another database, as the first one was before anything happened in it."""
        server = make_url(self.postgres.url).set(database="postgres")
        url = server.render_as_string(hide_password=False)
        replace(self.first, url=url).run(f'CREATE DATABASE "{name}" TEMPLATE kabambe')
        own = server.set(database=name).render_as_string(hide_password=False)
        return replace(self.first, url=own)

    def crash(self) -> None:
        """Kill it and all its children."""
        crash(self.postgres)

    def start(self) -> None:
        """Start it again on what it left; it recovers first."""
        self.postgres.start()


@contextmanager
def running() -> Iterator[Cluster]:
    """Start a server, migrate, let people in; end and forget all of it afterwards."""
    with ExitStack() as resources:
        home = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="kabambe-chaos-")))
        postgres = Postgres(home, settings=_SETTINGS)
        resources.callback(postgres.stop)
        postgres.start()
        environment = product.environment(product.Ports(1, 2), postgres.url, "redis://unused")
        subprocess.run(product.migration(), cwd=stack.ROOT, env=environment, check=True, timeout=60)
        yield Cluster(home, postgres, _filled(postgres.url))


def _filled(url: str) -> Book:
    """Open people with shillings and dollars, and the accounts that an exchange passes through."""
    databases = db.connect(url)
    msisdns = stack.open_people(databases, PEOPLE)
    with databases.begin() as session:
        people = [subscribers.recipient(session, msisdn=each) for each in msisdns]
        cash = chart.SANDBOX_CASH.open(session, currency=Currency.USD)
        dollars = [
            chart.MAIN.open(session, currency=Currency.USD, owner=each.id) for each in people
        ]
        drafts = [
            Draft(f"chaos:open:{account}", Reason.OPENING, {cash: -DOLLARS, account: DOLLARS})
            for account in dollars
        ]
        ledger.post(session, drafts=drafts, now=now())
        liquidity = [
            chart.LIQUIDITY.open(session, currency=currency)
            for currency in (Currency.KES, Currency.USD)
        ]
        fees = chart.TRANSFER_FEES.open(session, currency=Currency.KES)
        spread = chart.SPREAD.open(session, currency=Currency.USD)
        session.execute(text("ANALYZE"))
    databases.kw["bind"].dispose()  # or it could not be cloned
    shillings = [each.account_id for each in people]
    return Book(url, people, shillings, dollars, fees, (liquidity[0], liquidity[1]), spread)
