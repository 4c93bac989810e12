"""
`python -m workers.sessions [--since DAY] [--until DAY]`: how USSD sessions went, in figures.

How sessions went is counted from what the aggregator tells at their end. Days are Nairobi's.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import db, endings, journeys
from core.db import transact
from core.endings import NETWORKS, Endings, Path, Tally
from core.journeys import Journey
from core.settings import load
from core.statements import NAIROBI
from core.subscribers import Language
from menus import flows
from menus.languages import endonym

NOT_DONE: Final = 2
_DAYS: Final = 7
_SCREENS_SHOWN: Final = 15
# How a group without a name is called: everybody, or who is none of ours.
_OTHERS: Final = {
    "all sessions": "",
    "by day": "",
    "by network": "no code",
    "by language": "strangers",
}
_EMPTY: Final = """\
Nobody told us of a session that ended in this time. The aggregator does so at the address of the
USSD door with /events after it; docs/runbook.md says where that is set.
"""


Row = Sequence[str]
Part = Callable[[Path], tuple[str, ...]]


def _network(path: Path) -> tuple[str, ...]:
    return (NETWORKS.get(path.network, path.network) or _OTHERS["by network"],)


def _reader(path: Path) -> tuple[str, ...]:
    return (_language(path.language) or _OTHERS["by language"],)


# Whose flows and drop-offs are told: everybody's, and each network's and language's own.
_PARTS: Final[Mapping[str, Part]] = {
    "": lambda _path: (),
    ", network": _network,
    ", language": _reader,
}


def report(found: Endings, travelled: Sequence[Journey]) -> str:
    """All figures as tables, each by what most of them is."""
    parts = _of_sessions(found) if found.total.sessions else [_EMPTY]
    return "\n".join(part for part in (*parts, _journeys(travelled), *_unheard(found)) if part)


def _of_sessions(found: Endings) -> list[str]:
    return [
        _tallies("all sessions", [found.total], lambda _name: ""),
        _tallies("by day", found.days, str),
        _tallies("by network", _most(found.networks), lambda code: NETWORKS.get(code, code)),
        _tallies("by language", _most(found.languages), _language),
        *(
            table(f"{title}{among}", found.paths, part)
            for title, table in (("by flow", _flows), ("broken off at", _drop_offs))
            for among, part in _PARTS.items()
        ),
    ]


def _tallies(title: str, tallies: Sequence[Tally], named: Callable[[str], str]) -> str:
    head = [title, "sessions", "ended", "broken off", "failed", "hops", "median s", "p99 s", "cost"]
    return _table(
        head,
        [
            [
                named(tally.name) or _OTHERS[title],
                f"{tally.sessions:,}",
                _share(tally.succeeded, tally.sessions),
                _share(tally.broken_off, tally.sessions),
                _share(tally.failed, tally.sessions),
                "-" if tally.hops is None else f"{tally.hops:.1f}",
                _seconds(tally.median_ms),
                _seconds(tally.p99_ms),
                _cost(tally.costs),
            ]
            for tally in tallies
        ],
    )


def _flows(title: str, paths: Sequence[Path], part: Part) -> str:
    """Of each flow, how many went into it, in how many hops, and how many to its end."""
    into: Counter[Row] = Counter()
    to_the_end: Counter[Row] = Counter()
    hops: Counter[Row] = Counter()
    for path in paths:
        counts = flows.hops(path.screens)
        for flow, is_at_its_end in flows.taken(path.screens).items():
            group = (flow, *part(path))
            into[group] += path.sessions
            to_the_end[group] += path.sessions * is_at_its_end
            hops[group] += path.sessions * counts[flow]
    order = list(flows.ENDS)
    rows = [
        [
            " ".join(group),
            f"{count:,}",
            f"{hops[group] / count:.1f}",
            f"{to_the_end[group]:,}",
            _share(to_the_end[group], count),
        ]
        for group, count in sorted(
            into.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0])
        )
    ]
    return _table([title, "sessions", "hops", "to its end", "share"], rows)


def _drop_offs(title: str, paths: Sequence[Path], part: Part) -> str:
    """The screens at which sessions broke off, and of how many that were shown them."""
    shown: Counter[Row] = Counter()
    last: Counter[Row] = Counter()
    for path in paths:
        for screen in dict.fromkeys(path.screens):
            shown[(screen, *part(path))] += path.sessions
        if path.is_broken_off and path.screens:
            last[(path.screens[-1], *part(path))] += path.sessions
    rows = [
        [" ".join(group), f"{count:,}", f"{shown[group]:,}", _share(count, shown[group])]
        for group, count in sorted(last.items(), key=lambda item: (-item[1], item[0]))
    ]
    return _table([title, "sessions", "were shown it", "share"], rows[:_SCREENS_SHOWN])


def _journeys(travelled: Sequence[Journey]) -> str:
    """What money that was asked for by phone took, from the dial to the last SMS about it."""
    rows = [
        [
            each.kind.replace("_", " "),
            f"{each.count:,}",
            "-" if each.hops is None else f"{each.hops:.1f}",
            f"{each.parts:.1f}",
            _cost(each.session_costs),
            _cost(each.sms_costs),
        ]
        for each in travelled
    ]
    return _table(["by journey", "count", "hops", "SMS parts", "sessions' cost", "SMS cost"], rows)


def _unheard(found: Endings) -> Iterator[str]:
    """What these figures do not know."""
    if found.untold:
        yield (
            f"Of {found.ordered:,} sessions in which something was ordered, {found.untold:,}"
            f" ({_share(found.untold, found.ordered)}) were never told to have ended:"
            " the aggregator does not deliver every event."
        )
    if blank := sum(path.sessions for path in found.paths if not path.screens):
        yield f"{blank:,} told no screen; they are in no flow."
    if found.uncosted:
        yield f"{found.uncosted:,} told no cost that can be read."


def _table(head: Row, rows: Sequence[Row]) -> str:
    """Columns as wide as they must be; names to the left, figures to the right."""
    if not rows:
        return ""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join([lines[0], "-" * (sum(widths) + 2 * len(widths) - 2), *lines[1:], ""])


def _most(tallies: Sequence[Tally]) -> list[Tally]:
    return sorted(tallies, key=lambda tally: (-tally.sessions, tally.name))


def _language(code: str) -> str:
    return endonym(Language(code)) if code else ""


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "-"


def _seconds(ms: int | None) -> str:
    return "-" if ms is None else f"{ms / 1000:.1f}"


def _cost(costs: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{currency} {sum_:,.2f}".strip() for currency, sum_ in sorted(costs.items()))


def _look(
    session: Session, *, since: datetime, until: datetime, now: datetime
) -> tuple[Endings, Sequence[Journey]]:
    session.execute(text("SET LOCAL statement_timeout = '300s'"))
    session.execute(text("SET TRANSACTION READ ONLY"))
    # The planner knows nothing of what JSON holds, and would go through all for each.
    session.execute(text("SET LOCAL enable_nestloop = off"))
    found = endings.figures(session, since=since, until=until, now=now)
    return found, journeys.figures(session, since=since, until=until)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), NAIROBI)


def main(argv: Sequence[str]) -> int:
    """Print the figures; the answer is the exit status."""
    parser = argparse.ArgumentParser(
        prog="./run sessions", description=(__doc__ or "").partition("\n\n")[2]
    )
    parser.add_argument(
        "--since",
        type=date.fromisoformat,
        metavar="DAY",
        help=f"the first day, as 2026-11-01; without it the last {_DAYS} days",
    )
    parser.add_argument(
        "--until", type=date.fromisoformat, metavar="DAY", help="the day after the last"
    )
    chosen = parser.parse_args(argv)
    now = datetime.now(UTC)
    until = _midnight(chosen.until) if chosen.until else now
    since = _midnight(chosen.since) if chosen.since else until - timedelta(days=_DAYS)
    if since >= until:
        parser.error("--until is a day after --since")
    databases = db.connect(load().database_url.get_secret_value(), role=db.WORKER)
    try:
        found = transact(databases, partial(_look, since=since, until=until, now=now))
    except SQLAlchemyError as error:
        print(f"The database did not say: {type(error).__name__}", file=sys.stderr)
        return NOT_DONE
    finally:
        databases.kw["bind"].dispose()
    print(f"{since.astimezone(NAIROBI):%F %R %Z} to {until.astimezone(NAIROBI):%F %R %Z}\n")
    print(report(*found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
