"""
The book under load, all on one server: the SQL function beside the least that moves money
(`yardstick.sql`), the Python API beside raw calls, batches, record accounts, orders end to end.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sqlalchemy import text

from bench import ledger_clients, stack
from bench.figures import Figures, say
from core import db
from sandbox import product
from sandbox.engines import Postgres, binaries

ACCOUNTS: Final = 100_000
FORTUNE: Final = 1_000_000_000_000  # cents that each opens with
FUNCTION_GOAL: Final = 0.6
API_GOAL: Final = 0.6
BATCHES_GOAL: Final = 6_000
RECORD_GOAL: Final = 3.0
ORDERS_GOAL: Final = 1_000
ORDERS_P99_MS_MAX: Final = 1_000.0
# What is asked for while the wait is measured: as fast as it goes would measure the queue.
ORDERS_OFFERED: Final = 1_050

# As a small server of its own would be set; both contestants share it. What the server does beside,
# once in a minute or five, would fall on whoever happens to be measured: it waits.
_SETTINGS: Final = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "min_wal_size": "2GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",
}
_LOG_FILES: Final = 110
_ASKING: Final = 2  # processes
# What was executed is told when it is committed: an order says when its batch began.
_OUTCOMES: Final = text("""
    SELECT count(*) FILTER (WHERE state = 'done'),
        percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM told_at - placed_at)),
        extract(epoch FROM max(told_at) - min(placed_at))
    FROM (
        SELECT state, placed_at, pg_xact_commit_timestamp(xmin) AS told_at
        FROM orders WHERE id > :last
    ) o
""")
_DATED: Final = {"track_commit_timestamp": "on"}
# Whoever calls has a key already: had from the kernel here, it would weigh on what the processors
# bound, and not on what waits.
_KEY: Final = "\\set key random(1, 9223372036854775807)\n"
_TPS: Final = re.compile(r"tps = ([0-9.]+)")

# ruff: noqa: S608 - nobody types into these statements
_SEED: Final = f"""
INSERT INTO yardstick.account
    SELECT n, 1, CASE WHEN n <= {ACCOUNTS} THEN {FORTUNE} ELSE 0 END
    FROM generate_series(1, {ACCOUNTS} + 1) n;
INSERT INTO accounts (path, currency, balance, balance_min, mode)
    SELECT 'bench:' || n, 'KES', CASE WHEN n <= {ACCOUNTS} THEN {FORTUNE} ELSE 0 END,
        CASE WHEN n <= {ACCOUNTS} THEN 0 END,
        CASE WHEN n <= {ACCOUNTS} + 1 THEN 'authorise' ELSE 'record' END::account_mode
    FROM generate_series(1, {ACCOUNTS} + 2) n ORDER BY n;
SET LOCAL session_replication_role = replica;  -- their accounts are not named as the chart would
INSERT INTO subscribers (msisdn, name, language, account_id, terms_version, registered_at, tier,
        screening, screened_at)
    SELECT '+2547' || lpad(id::text, 8, '0'), 'Bench', 'en', id, 'bench', now(), 'verified',
        'clear', now()
    FROM accounts WHERE starts_with(path, 'bench:') AND balance > 0;
SET LOCAL session_replication_role = origin;
UPDATE accounts a SET holder_id = s.id FROM subscribers s WHERE s.account_id = a.id;
UPDATE limits SET order_min = 0, order_max = 1e15, day_max = 1e17, month_max = 1e17,
    hour_count_max = 1e9, balance_max = 1e17;
"""
# They are opened with balances that no entry explains.
_OFF: Final = text(f"""
    SELECT sum(abs(a.balance - coalesce(e.amount, 0) + coalesce(u.amount, 0)
            - CASE WHEN a.holder_id IS NULL THEN 0 ELSE {FORTUNE} END))
        + abs(sum(coalesce(e.amount, 0)))
    FROM accounts a
    LEFT JOIN (SELECT account_id AS id, sum(amount) AS amount FROM entries GROUP BY 1) e USING (id)
    LEFT JOIN (SELECT account_id AS id, sum(amount) AS amount FROM unrolled GROUP BY 1) u USING (id)
    WHERE starts_with(a.path, 'bench:')
""")


@dataclass(frozen=True)
class Book:
    """A migrated database with accounts in it; `first` is the id before the first of them."""

    url: str
    folder: Path
    first: int

    def calls(self, script: str, *, clients: int, seconds: float) -> float:
        """Run a statement from so many clients at once; return how often it was run a second."""
        file = self.folder / "script.sql"
        file.write_text(script)
        done = subprocess.run(  # noqa: S603 - our own command
            [
                *(str(binaries.postgres() / "pgbench"), "-n", "-M", "prepared"),
                *("-c", str(clients), "-j", "2", "-T", str(max(int(seconds), 1))),
                *("-h", unquote(self.url.partition("host=")[2]), "-U", "kabambe"),
                *("-f", str(file), "kabambe"),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + 60,
        )
        found = _TPS.search(done.stdout)
        assert found, done.stderr
        return float(found.group(1))

    def yardstick(self, *, hot: bool) -> str:
        """Move money by the least function."""
        to = str(ACCOUNTS + 1) if hot else ":b"
        return (
            f"\\set a random(1, {ACCOUNTS})\n"
            f"\\set b 1 + (:a + random(1, {ACCOUNTS} - 1) - 1) % {ACCOUNTS}\n"
            f"{_KEY}SELECT 1 / (yardstick.move(lpad(to_hex(:key::bigint), 32, '0')::uuid,"
            f" :a, {to}, 10) = 0)::int;\n"
        )

    def post(self, *, to: str = ":b") -> str:
        """Move money by `post_alone`, with a key, both accounts' bounds and every check."""
        return (
            f"{self._two}\\set to {to}\n"
            "\\set low least(:a, :to)\n"
            "\\set high greatest(:a, :to)\n"
            "\\set amount CASE WHEN :a < :to THEN -10 ELSE 10 END\n"
            "\\set back -:amount\n"
            f"{_KEY}SELECT 1 / (post_alone(now(), 'bench:' || :key::bigint, 'transfer', NULL,"
            " ARRAY[:low, :high]::bigint[], ARRAY[:amount, :back]::bigint[]) IS NOT NULL)::int;\n"
        )

    @property
    def spend(self) -> str:
        """Move a person's money to another by `post`: it asks for the limits of both as well."""
        return (
            f"{self._two}{_KEY}"
            "SELECT 1 / (outcome = 'posted')::int FROM post(now(),"
            " ARRAY['bench:' || :key::bigint], ARRAY['transfer'], ARRAY[NULL]::text[],"
            " ARRAY[:a]::bigint[], ARRAY[10]::bigint[], ARRAY[2],"
            " ARRAY[:a, :b]::bigint[], ARRAY[-10, 10]::bigint[]);\n"
        )

    def off(self) -> int:
        """By how much the accounts are not what they opened with and what was entered since."""
        databases = db.connect(self.url)
        with databases() as session:
            session.execute(text("SET LOCAL statement_timeout = 0"))
            off = session.scalar(_OFF)
        databases.kw["bind"].dispose()
        return int(off)

    @property
    def _two(self) -> str:
        return (
            f"\\set a {self.first} + random(1, {ACCOUNTS})\n"
            f"\\set b {self.first} + 1 + (:a - {self.first} + random(1, {ACCOUNTS} - 1) - 1)"
            f" % {ACCOUNTS}\n"
        )

    @property
    def locked(self) -> str:
        return str(self.first + ACCOUNTS + 1)

    @property
    def record(self) -> str:
        return str(self.first + ACCOUNTS + 2)


def run(*, seconds: float, rounds: int) -> int:
    """Measure everything; return 0 when every goal was reached and the book balances."""
    figures = Figures()
    say("bench: starting PostgreSQL and opening accounts …")
    with _opened() as book:
        _function(book, figures, seconds=seconds, rounds=rounds)
        _hot(book, figures, seconds=seconds, rounds=rounds)
        _python(book, figures, seconds=seconds, rounds=rounds)
        if book.off():
            figures.missed.append("the book that was measured balances")
    say("bench: starting the house for orders end to end …")
    with stack.running(1_500, server=_DATED) as house:
        _orders(house, figures, seconds=seconds * 2)
        if not stack.balanced(house.databases):
            figures.missed.append("the house's book balances")
    for name in figures.missed:
        say(f"missed: {name}")
    return 1 if figures.missed else 0


def _function(book: Book, figures: Figures, *, seconds: float, rounds: int) -> None:
    """
    What `core.ledger.post` calls, for one journal a transaction.

    `post_alone` where nobody's limits are asked; `post` for what a person sends, of which the least
    function knows nothing: told without a goal.
    """
    contests = (
        ("post_alone, {} at once, uniform", False, book.post(), FUNCTION_GOAL),
        ("post_alone, {} at once, hot", True, book.post(to=book.locked), None),
        ("post, with limits, {} at once, uniform", False, book.spend, None),
    )
    for title, is_hot, script, goal in contests:
        for clients in (1, 4, 16):
            name = title.format(clients)
            say(f"bench: {name} …")
            floor, value = _interleaved(
                lambda c=clients, h=is_hot: book.calls(  # type: ignore[misc]
                    book.yardstick(hot=h), clients=c, seconds=seconds
                ),
                lambda c=clients, s=script: book.calls(s, clients=c, seconds=seconds),  # type: ignore[misc]
                rounds=rounds,
            )
            name = f"{name} (floor: yardstick)"
            figures.rate(name, value, floor=floor, goal=goal if clients == 16 else None)  # noqa: PLR2004 - where it counts


def _hot(book: Book, figures: Figures, *, seconds: float, rounds: int) -> None:
    say("bench: a hot account in record mode …")
    locked, recorded = _interleaved(
        lambda: book.calls(book.post(to=book.locked), clients=16, seconds=seconds),
        lambda: book.calls(book.post(to=book.record), clients=16, seconds=seconds),
        rounds=rounds,
    )
    name = "record mode, 16 at once (floor: the same account locked)"
    figures.rate(name, recorded, floor=locked, goal=RECORD_GOAL)


def _python(book: Book, figures: Figures, *, seconds: float, rounds: int) -> None:
    for processes in (1, 4):
        say(f"bench: the Python API in {processes} processes …")

        def calls(client: ledger_clients.Client, count: int = processes) -> float:
            return _in_processes(client, book, processes=count, seconds=seconds)

        raw, api = _interleaved(
            lambda: calls(ledger_clients.raw),
            lambda: calls(ledger_clients.api),
            rounds=rounds,
        )
        name = f"Python API, {processes} processes (floor: raw calls)"
        figures.rate(name, api, floor=raw, goal=API_GOAL if processes > 1 else None)
        batches = calls(ledger_clients.batches)
        name = f"transfers in batches of 100, {processes} processes (floor: raw calls)"
        figures.rate(name, batches, floor=raw)
        name = f"transfers with limits in batches of 100, {processes} processes (floor: raw calls)"
        figures.rate(name, calls(ledger_clients.limited), floor=raw)
        if processes == 1:
            figures.at_least(
                "transfers in batches of 100 with an outcome each", batches, "1/s", BATCHES_GOAL
            )


def _orders(house: stack.Stack, figures: Figures, *, seconds: float) -> None:
    """
    From the insert to the outcome, by two ledger workers, as `deploy/compose.yaml` has them.

    With their SMS it is the fake aggregator, on the same two cores, that takes most: what it leaves
    is told, and the goal is for what an order's way to its outcome is.
    """
    house.start("ledger-2", product.servers(house.ports)["ledger"])
    say("bench: orders end to end, and the SMS of some by a fake provider beside …")
    beside = _Asked(house, rate=None, seconds=seconds)
    figures.at_least("orders end to end, while a fake provider takes SMS", beside.rate, "1/s")
    for name in ("sms", "sandbox", "web", "floor"):
        house.stop(name)
    say("bench: orders end to end, as many as go …")
    asked = _Asked(house, rate=None, seconds=seconds)
    figures.at_least("orders end to end, as many as go", asked.rate, "1/s", ORDERS_GOAL)
    say(f"bench: orders end to end, {ORDERS_OFFERED} a second …")
    # Longer: what the last one waits counts, and says less of how many go the longer it lasts.
    offered = _Asked(house, rate=ORDERS_OFFERED / _ASKING, seconds=seconds * 2)
    name = f"orders end to end, {ORDERS_OFFERED} a second offered"
    figures.at_least(name, offered.rate, "1/s", ORDERS_GOAL)
    figures.at_most(f"{name}: p99", offered.p99_ms, "ms", goal=ORDERS_P99_MS_MAX)


class _Asked:
    """Orders asked for by several processes at once, all executed by now."""

    def __init__(self, house: stack.Stack, *, rate: float | None, seconds: float) -> None:
        """Ask for orders, so many a second and process, and wait for the last outcome."""
        with house.databases() as session:
            last = session.scalar(text("SELECT coalesce(max(id), 0) FROM orders"))
        url = house.environment["DATABASE_URL"], house.environment["REDIS_URL"]
        with ProcessPoolExecutor(_ASKING, mp_context=get_context("spawn")) as pool:
            asked = [
                pool.submit(
                    ledger_clients.order, *url, list(house.people), seconds, number, rate=rate
                )
                for number in range(_ASKING)
            ]
            count = sum(each.result() for each in asked)
        stack.until(lambda: _placed(house) == 0)
        with house.databases() as session:
            done, p99, took = session.execute(_OUTCOMES, {"last": last}).one()
        assert done == count, f"{count - done} orders were refused"
        self.rate = count / max(float(took), 0.001)
        self.p99_ms = float(p99) * 1000


def _placed(house: stack.Stack) -> int:
    with house.databases() as session:
        found = session.scalar(text("SELECT count(*) FROM orders WHERE state = 'placed'"))
    return int(found or 0)


def _interleaved(
    floor: Callable[[], float], value: Callable[[], float], *, rounds: int
) -> tuple[float, float]:
    """Measure both in turn; the medians."""
    measured = [(floor(), value()) for _ in range(rounds)]
    return statistics.median(a for a, _ in measured), statistics.median(b for _, b in measured)


def _in_processes(
    client: ledger_clients.Client, book: Book, *, processes: int, seconds: float
) -> float:
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        rates: Sequence[float] = [
            each.result()
            for each in [
                pool.submit(client, book.url, book.first, ACCOUNTS, seconds, number)
                for number in range(processes)
            ]
        ]
    return sum(rates)


@contextmanager
def _opened() -> Iterator[Book]:
    with ExitStack() as resources:
        home = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="kabambe-ledger-")))
        postgres = Postgres(home, settings=_SETTINGS)
        resources.callback(postgres.stop)
        postgres.start()
        environment = product.environment(product.Ports(1, 2), postgres.url, "redis://unused")
        subprocess.run(  # noqa: S603 - our own command
            product.migration(), cwd=stack.ROOT, env=environment, check=True, timeout=60
        )
        databases = db.connect(postgres.url)
        resources.callback(databases.kw["bind"].dispose)
        with databases.begin() as session:
            session.execute(text("SET LOCAL statement_timeout = 0"))
            yardstick = (stack.ROOT / "bench" / "yardstick.sql").read_text()
            session.connection().exec_driver_sql(yardstick + _SEED)
        server = databases.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))
            # A server that has run for a while writes its log into files it has; a new one would
            # make each of them while we measure.
            for _ in range(_LOG_FILES):
                connection.execute(text("SELECT pg_logical_emit_message(false, 'bench', 'next')"))
                connection.execute(text("SELECT pg_switch_wal()"))
            connection.execute(text("CHECKPOINT"))
            first = connection.scalar(text("SELECT id - 1 FROM accounts WHERE path = 'bench:1'"))
        yield Book(postgres.url, home, int(first))
