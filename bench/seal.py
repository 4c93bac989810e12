"""
The sealed log at a million journals: sealing them, and the auditor's program over all of it, beside
the least that any verifier must do: a hash for each leaf, and one for each node above.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import text

from bench import stack
from bench.figures import Figures, say
from core import db, seal_log, seal_notes
from core.db import Databases
from core.seal import Sealer
from core.seal_notes import Signer
from core.seal_outside import Outside
from sandbox import product
from sandbox.engines import Postgres, binaries

LEAVES: Final = 1_000_000
LEAVES_QUICK: Final = 50_000
VERIFIED_SECONDS_MAX: Final = 10.0
PROOFS: Final = 200
# As many as orders are to be executed: the sealer must not fall behind.
SEALED_GOAL: Final = 1_000
_TOOK: Final = re.compile(r"The log took ([0-9.]+) s, the book ([0-9.]+) s")
_SETTINGS: Final = {"shared_buffers": "512MB", "max_wal_size": "4GB", "work_mem": "256MB"}

# What `post` would have written, a journal moving one cent between the two accounts of a pair.
_SEED: Final = """
SET LOCAL session_replication_role = replica;
SET LOCAL statement_timeout = 0;
INSERT INTO accounts (path, currency, balance, version)
    SELECT 'bench:' || side || ':' || pair, 'KES', side * (:n / 500), :n / 500
    FROM generate_series(0, 499) pair, (VALUES (-1), (1)) AS s (side) ORDER BY side, pair;
INSERT INTO journals (id, key, reason, reference, posted_at) OVERRIDING SYSTEM VALUE
    SELECT n, 'ussd:ATUid_' || md5(n::text) || '-21', 'transfer', 'T' || lpad(n::text, 9, '0'),
        TIMESTAMPTZ '2026-11-21' + n * interval '1 millisecond' FROM generate_series(1, :n) n;
INSERT INTO entries (account_id, version, journal_id, amount, balance_after)
    SELECT f.first + (n - 1) % 500 + CASE side WHEN 1 THEN 500 ELSE 0 END, (n - 1) / 500 + 1, n,
        side, side * ((n - 1) / 500 + 1)
    FROM generate_series(1, :n) n, (VALUES (-1), (1)) AS s (side),
        (SELECT min(id) AS first FROM accounts WHERE path LIKE 'bench:%') f;
"""


@dataclass(frozen=True)
class Log:
    """A migrated database, and a folder outside it."""

    address: str
    databases: Databases
    outside: Path


def run(*, leaves: int) -> int:
    """Measure everything; return 0 when the goal was reached and the audit found nothing."""
    figures = Figures()
    with _opened() as log:
        say(f"bench: posting {leaves:,} journals …")
        with log.databases.begin() as session:
            for statement in _SEED.replace(":n", str(leaves)).strip().rstrip(";").split(";\n"):
                session.execute(text(statement))
        _vacuum(log)
        say("bench: sealing them …")
        _seal(log, figures, leaves=leaves)
        _vacuum(log)
        _prove(log, figures, leaves=leaves)
        say("bench: the auditor's program over all of it …")
        _audit(log, figures, leaves=leaves)
    for name in figures.missed:
        say(f"missed: {name}")
    return 1 if figures.missed else 0


def _seal(log: Log, figures: Figures, *, leaves: int) -> None:
    signer = Signer("kabambe.bench", b64encode(bytes(32)).decode())
    sealer = Sealer(log.databases, signer, Outside(log.outside), lambda: datetime.now(UTC))
    began = time.perf_counter()
    sealed = 0
    while sealed < leaves:
        sealed += sealer.once()
    took = time.perf_counter() - began
    figures.at_least(
        "journals sealed, in lots of 1,000 and blocks of 50", sealed / took, "1/s", SEALED_GOAL
    )


def _prove(log: Log, figures: Figures, *, leaves: int) -> None:
    """Receipts, as the door makes them."""
    with log.databases() as session:
        seals = session.scalars(
            text("SELECT hash FROM leaves WHERE journal_id % :every = 0"),
            {"every": max(leaves // PROOFS, 1)},
        ).all()
        began = time.perf_counter()
        for leaf in seals:
            assert seal_log.proof(session, seal_notes.seal(bytes(leaf)))
        took = (time.perf_counter() - began) / len(seals)
    figures.at_most("a receipt's proof", took * 1000, "ms")


def _audit(log: Log, figures: Figures, *, leaves: int) -> None:
    """The log alone (every leaf, node, root and signature), then the whole book against it."""
    floor = _floor(leaves)
    figures.at_most(f"floor: {2 * leaves:,} bare SHA-256 calls", floor, "s")
    ran = subprocess.run(  # noqa: S603 - our own command
        [
            *(sys.executable, "verifier/audit.py"),
            *(log.outside / "key", log.address, log.outside / "checkpoints.jsonl"),
        ],
        cwd=stack.ROOT,
        env=_with_psql(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = _TOOK.search(ran.stdout)
    assert found, ran.stdout
    alone, book = float(found[1]), float(found[2])
    goal = VERIFIED_SECONDS_MAX if leaves == LEAVES else None
    name = f"{leaves:,} leaves verified: hashes, tree, checkpoints"
    figures.at_most(name, alone, "s", goal=goal)
    figures.at_most("that over the floor", alone / floor, "times")
    figures.at_most("their journals, entries and balances compared besides", book, "s")


def _floor(leaves: int) -> float:
    """Seconds for as many hashes as there are leaves and nodes, and nothing else."""
    leaf, node, digest = b"\0" + bytes(200), b"\1" + bytes(64), sha256
    began = time.perf_counter()
    for _ in range(leaves):
        digest(leaf).digest()
        digest(node).digest()
    return time.perf_counter() - began


def _with_psql() -> dict[str, str]:
    words = dict(os.environ)  # noqa: TID251 - handed to a child
    return words | {"PATH": f"{binaries.postgres()}{os.pathsep}{words.get('PATH', '')}"}


def _vacuum(log: Log) -> None:
    with log.databases.kw["bind"].connect() as connection:
        live = connection.execution_options(isolation_level="AUTOCOMMIT")
        live.execute(text("SET statement_timeout = 0"))
        live.execute(text("VACUUM ANALYZE"))
        live.execute(text("RESET statement_timeout"))


@contextmanager
def _opened() -> Iterator[Log]:
    with ExitStack() as resources:
        home = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="kabambe-seal-")))
        postgres = Postgres(home, settings=_SETTINGS)
        resources.callback(postgres.stop)
        postgres.start()
        environment = product.environment(product.Ports(1, 2), postgres.url, "redis://unused")
        subprocess.run(  # noqa: S603 - our own command
            product.migration(), cwd=stack.ROOT, env=environment, check=True, timeout=60
        )
        databases = db.connect(postgres.url)
        resources.callback(databases.kw["bind"].dispose)
        yield Log(postgres.url.replace("+psycopg2", ""), databases, home / "log")
