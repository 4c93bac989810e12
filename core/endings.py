"""
How USSD sessions ended, in figures: what the aggregator told us of each, counted.

An ending is a letter of the inbox, unsigned and perhaps forged, with fields that may be missing or
anything: what cannot be read is counted as such, and nothing but these figures rests on it. Source
of the fields: Africa's Talking, USSD notifications.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from core.inbox import Kind

SCREENS_MAX: Final = 100

# An order's session may be going on for so long: it is not yet missed.
_SESSION: Final = timedelta(minutes=10)
_SCREEN: Final = re.compile(r"[a-z_]{1,40}\.[A-Za-z]{1,40}")

NETWORKS: Final[Mapping[str, str]] = {
    "63902": "Safaricom",
    "63903": "Airtel",
    "63907": "Telkom",
    "63999": "Equitel",
    "99999": "sandbox",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """
    Sessions that have something in common.

    Args:
        name: What that is: a day, a network's code, a language; empty of all.
        sessions: How many there were.
        succeeded: Those we ended; `broken_off` those that ended while we waited for an answer, and
            `failed` those that failed for the aggregator. What else there is said nothing we know.
        hops: On the average; None where no session told.
        median_ms: How long half of them took at most, and `p99_ms` all but one of a hundred.
        costs: What they cost, by currency; empty is the one that was not named.
    """

    name: str
    sessions: int
    succeeded: int
    broken_off: int
    failed: int
    hops: float | None
    median_ms: int | None
    p99_ms: int | None
    costs: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Path:
    """
    Sessions that were shown the same screens and ended alike, on one network and in one language.

    Args:
        network: Its code; empty where it is none.
        language: As their callers read now; empty of strangers.
    """

    screens: tuple[str, ...]
    is_broken_off: bool
    sessions: int
    network: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Endings:
    """
    All figures of a period.

    Args:
        total: Of all sessions.
        days: Of each day, in Nairobi.
        networks: Of each network, by its code; empty where it is none.
        languages: Of each language, as their callers read now; empty of strangers.
        paths: The ways they took.
        ordered: Sessions in which something was ordered, and `untold` those of them whose end we
            were not told: the aggregator does not deliver every ending.
        uncosted: How many told no cost that can be read.
    """

    total: Tally
    days: Sequence[Tally]
    networks: Sequence[Tally]
    languages: Sequence[Tally]
    paths: Sequence[Path]
    ordered: int
    untold: int
    uncosted: int


# Materialised: the letters of the period are read once. Days are Nairobi's.
_ENDED: Final = """
    WITH ended AS MATERIALIZED (
        SELECT to_char(i.received_at AT TIME ZONE INTERVAL '03:00', 'YYYY-MM-DD') AS day,
            coalesce(substring(i.form->>'networkCode' FROM '^[0-9]{5,6}$'), '') AS network,
            coalesce(s.language, '') AS language,
            i.form->>'status' AS status,
            i.form->>'sessionId' AS session,
            substring(i.form->>'durationInMillis' FROM '^[0-9]{1,8}$')::bigint AS ms,
            substring(i.form->>'hopsCount' FROM '^[0-9]{1,4}$')::int AS hops,
            substring(i.form->>'cost' FROM '^ *([A-Z]{3})?') AS currency,
            substring(i.form->>'cost' FROM '^ *(?:[A-Z]{3})? *([0-9]{1,9}(?:[.][0-9]{1,6})?) *$')
                ::numeric AS cost,
            i.form->>'hopsMetadata' AS path
        FROM inbox i
        LEFT JOIN subscribers s
            ON s.msisdn = '+' || regexp_replace(i.form->>'phoneNumber', '[^0-9]', '', 'g')
            AND s.closed_at IS NULL
        WHERE i.kind = :kind AND i.received_at >= :since AND i.received_at < :until
    )
"""


def question(select: str) -> TextClause:
    """Ask about the endings of a period, `ended`; other tables of its own may come first."""
    return text(_ENDED + select)


_TALLIES: Final = question("""
    SELECT day, network, language, count(*) AS sessions,
        count(*) FILTER (WHERE status = 'Success') AS succeeded,
        count(*) FILTER (WHERE status = 'Incomplete') AS broken_off,
        count(*) FILTER (WHERE status = 'Failed') AS failed,
        avg(hops)::float AS hops,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) AS median_ms,
        percentile_disc(0.99) WITHIN GROUP (ORDER BY ms) AS p99_ms
    FROM ended GROUP BY GROUPING SETS ((), (day), (network), (language))
    ORDER BY day, network, language
""")
_COSTS: Final = question("""
    SELECT day, network, language, coalesce(currency, '') AS currency, sum(cost) AS cost,
        count(*) FILTER (WHERE cost IS NULL) AS uncosted
    FROM ended
    GROUP BY GROUPING SETS ((), (day), (network), (language)), coalesce(currency, '')
""")
_PATHS: Final = question("""
    SELECT coalesce(path, '') AS path, coalesce(status, '') = 'Incomplete' AS is_broken_off,
        count(*) AS sessions, network, language
    FROM ended GROUP BY 1, 2, network, language ORDER BY 3 DESC, 1, 2, network, language
""")
_ORDERED: Final = text("""
    WITH ordered AS (
        SELECT DISTINCT split_part(key, ':', 2) AS session FROM orders
        WHERE key LIKE 'ussd:%' AND placed_at >= :since AND placed_at < least(:until, :settled)
    )
    -- As sets: the planner, which knows nothing of what a key holds, would go through one for each
    -- of the other.
    SELECT (SELECT count(*) FROM ordered) AS ordered,
        (SELECT count(*) FROM (
            SELECT session FROM ordered
            EXCEPT
            SELECT form->>'sessionId' FROM inbox
            WHERE kind = :kind AND received_at >= :since
        ) silent) AS untold
""")


def figures(session: Session, *, since: datetime, until: datetime, now: datetime) -> Endings:
    """Count what we were told from `since` on and before `until`."""
    told = {"kind": Kind.USSD_ENDED.value, "since": since, "until": until}
    costs: dict[tuple[str | None, ...], dict[str, Decimal]] = {}
    uncosted = 0
    for row in session.execute(_COSTS, told):
        group = (row.day, row.network, row.language)
        if row.cost is not None:
            costs.setdefault(group, {})[row.currency] = row.cost
        if group == (None, None, None):
            uncosted += row.uncosted
    tallies = [
        ((row.day, row.network, row.language), row) for row in session.execute(_TALLIES, told)
    ]
    ordered = session.execute(_ORDERED, {**told, "settled": now - _SESSION}).one()

    def of(place: int | None) -> list[Tally]:
        """Those that are grouped by one thing, or by nothing."""
        return [
            _tally("" if place is None else group[place], row, costs.get(group, {}))
            for group, row in tallies
            if [at for at, name in enumerate(group) if name is not None]
            == ([] if place is None else [place])
        ]

    return Endings(
        total=of(None)[0],
        days=of(0),
        networks=of(1),
        languages=of(2),
        paths=[
            Path(_screens(row.path), row.is_broken_off, row.sessions, row.network, row.language)
            for row in session.execute(_PATHS, told)
        ],
        ordered=ordered.ordered,
        untold=ordered.untold,
        uncosted=uncosted,
    )


def _tally(name: str, row: Any, costs: Mapping[str, Decimal]) -> Tally:  # noqa: ANN401 - a row
    return Tally(
        name=name,
        sessions=row.sessions,
        succeeded=row.succeeded,
        broken_off=row.broken_off,
        failed=row.failed,
        hops=row.hops,
        median_ms=row.median_ms,
        p99_ms=row.p99_ms,
        costs=costs,
    )


def _screens(path: str) -> tuple[str, ...]:
    """The names of screens, as we gave them to the aggregator; what else came is left out."""
    return tuple(name for name in path.split("|")[:SCREENS_MAX] if _SCREEN.fullmatch(name))
