"""
`python -m workers.reconcile`: the whole book, or a provider's statement, looked at for breaks.

Without an option everything is looked at. The exit status is 0 when no break is open, 1 when some
are, 2 when it could not be done.
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import breaks, db, logs, providers, reconciliation
from core.audit import Actor
from core.db import Databases, transact
from core.errors import DomainError
from core.providers import Provider, TooManyLines
from core.reconciliation import Summary
from core.settings import load
from core.statements import Period
from workers.bills import Bill, Description, Misread

BREAKS_OPEN: Final = 1
NOT_DONE: Final = 2
_SHOWN_MAX: Final = 50
_PROGRESS_SECONDS: Final = 2.0


def now() -> datetime:
    """What time it is."""
    return datetime.now(UTC)


def main(argv: Sequence[str]) -> int:
    """Carry out one reconciliation, or close a break."""
    parser = _parser()
    chosen = parser.parse_args(argv)
    if (chosen.statement is None) != (chosen.described_by is None):
        parser.error("--statement FILE and --described-by FILE are given together")
    logs.configure()
    databases = db.connect(load().database_url.get_secret_value(), role=db.WORKER)
    try:
        if chosen.close is not None:
            return _close(databases, chosen.close, by=chosen.by, note=chosen.note)
        if chosen.statement is not None:
            described = Description.read(chosen.described_by)
            summary = bill(databases, Bill(chosen.statement, described), _period(chosen))
        elif chosen.list:
            return show(databases)
        else:
            summary = reconciliation.whole(databases, clock=now, progress=_Progress())
    except (Misread, TooManyLines) as error:
        print(error, file=sys.stderr)
        return NOT_DONE
    print(
        f"{summary.what}: looked at {summary.looked_at:,};"
        f" breaks: {len(summary.opened):,} new, {summary.closed:,} closed"
    )
    return show(databases)


class Statement(Provider, Protocol):
    """Both sides, and which period the file is of."""

    def period(self) -> Period:
        """From the first line to the last."""
        ...


def bill(databases: Databases, statement: Statement, period: Period | None) -> Summary:
    """
    Compare a provider's statement with our rows.

    Raises:
        Misread: The file is not what it should be.
        TooManyLines: It is longer than can be compared at once.
    """
    started, judged = now(), period or statement.period()

    def compare(session: Session) -> Summary:
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        session.execute(text("SET LOCAL statement_timeout = '600s'"))
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '600s'"))
        new, closed, looked_at = providers.reconcile(
            session, provider=statement, period=judged, now=started
        )
        summary = Summary(statement.name, looked_at, new, closed)
        reconciliation.keep_run(session, summary, started=started, now=now())
        return summary

    summary = transact(databases, compare)
    reconciliation.announce(summary.opened)
    return summary


def show(databases: Databases) -> int:
    """List what is open; the answer is the exit status."""
    with databases() as session:
        counts = breaks.open_counts(session)
        for each in breaks.opened(session, count=_SHOWN_MAX):
            print(
                f"  {each.id}  {each.kind}  {each.subject}: expected {each.expected},"
                f" found {each.found}; since {each.found_at.isoformat(timespec='seconds')}"
            )
    if not counts:
        print("No break is open.")
        return 0
    if (open_ := sum(counts.values())) > _SHOWN_MAX:
        print(f"  … and {open_ - _SHOWN_MAX:,} more")
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(counts.items()))
    print(f"Open: {kinds}. docs/runbook.md says what to do about each.")
    return BREAKS_OPEN


def _close(databases: Databases, id_: int, *, by: str | None, note: str | None) -> int:
    if not by or not note:
        print("Closing a break needs --by NAME and --note WORDS.", file=sys.stderr)
        return NOT_DONE
    actor = Actor(f"staff:{by}", "reconcile", f"cli:{uuid.uuid4()}")

    def close(session: Session) -> None:
        breaks.close(session, id_=id_, actor=actor, note=note, now=now())

    try:
        transact(databases, close)
    except DomainError as error:
        print(f"Break {id_} was not closed: {error.__doc__}", file=sys.stderr)
        return NOT_DONE
    return show(databases)


class _Progress:
    """Says every other second how far a look at everything has come."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def __call__(self, scope: str, at: int, last: int) -> None:
        if time.monotonic() - self._said_at > _PROGRESS_SECONDS:
            self._said_at = time.monotonic()
            print(f"  {scope}: {at:,} of {last:,}", file=sys.stderr)


def _period(chosen: argparse.Namespace) -> Period | None:
    if chosen.begin is None and chosen.end is None:
        return None
    if chosen.begin is None or chosen.end is None or chosen.begin >= chosen.end:
        raise Misread("--from and --to are given together, and --to is the later")
    return Period(chosen.begin, chosen.end)


def _instant(words: str) -> datetime:
    at = datetime.fromisoformat(words)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run reconcile", description=__doc__.partition("\n\n")[2]
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--statement", type=Path, metavar="FILE", help="a provider's, as CSV")
    what.add_argument("--list", action="store_true", help="only show what is open")
    what.add_argument("--close", type=int, metavar="BREAK", help="close what you can explain")
    parser.add_argument(
        "--described-by", type=Path, metavar="FILE", help="what its columns mean, as TOML"
    )
    parser.add_argument("--from", dest="begin", type=_instant, metavar="INSTANT")
    parser.add_argument("--to", dest="end", type=_instant, metavar="INSTANT")
    parser.add_argument("--by", metavar="NAME", help="who closes it")
    parser.add_argument("--note", metavar="WORDS", help="why it is explained")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
