"""
Screening: people held against the sanctions lists, when they register and when a list is loaded.

Whoever is like somebody on a list gets the state `hit`: their money stays where it is (`limits`),
a case says why, and nobody tells them. All of it is done by a job; a hop looks at a column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Row, func, insert, select, text
from sqlalchemy.orm import Session

from core import cases
from core.audit import Actor
from core.cases import Evidence, FactKind
from core.names import THRESHOLD, Names
from core.sanctions import Entry, Hit, Sanction, SanctionLoad
from core.subscribers import Screening

SCREENER: Final = Actor("system", "job", "screening")
PEOPLE_MAX: Final = 200

# A list's date of birth that is a year or more off tells most namesakes apart: the penalty is the
# one that OpenSanctions' matcher gives.
_BORN_PENALTY: Final = 0.15
_YEARS_APART_MAX: Final = 1

Tag = tuple[str, str]


@dataclass(slots=True)
class _Lists:
    """All lists in this process's memory, as some loads left them."""

    version: tuple[int, bytes] | None = None
    names: Names[Tag] = field(default_factory=lambda: Names([]))
    numbers: dict[str, list[Tag]] = field(default_factory=dict)
    entries: dict[Tag, Entry] = field(default_factory=dict)


_lists = _Lists()


@dataclass(frozen=True, slots=True)
class Match:
    """Why somebody is like an entry of a list."""

    tag: Tag
    score: float
    why: Mapping[str, Any]


_PEOPLE: Final = """
    SELECT s.id, s.msisdn, s.name, s.screening, s.screened_at, i.name AS full_name, i.born_on
    FROM subscribers s
    LEFT JOIN LATERAL (
        SELECT name, born_on FROM identities WHERE subscriber_id = s.id ORDER BY id DESC LIMIT 1
    ) i ON true
"""
_NEW: Final = text(
    _PEOPLE
    + "WHERE s.screened_at IS NULL ORDER BY s.id LIMIT :most FOR NO KEY UPDATE OF s SKIP LOCKED"
)
_NEXT: Final = text(
    _PEOPLE
    + "WHERE s.id > :after AND s.id <= :until ORDER BY s.id LIMIT :most FOR NO KEY UPDATE OF s"
)


def screen_new(session: Session, *, now: datetime, people_max: int = PEOPLE_MAX) -> int:
    """
    Screen people who registered or showed papers; return how many there were.

    Rows that another worker screens are passed over.
    """
    current(session)  # while nobody waits for us
    rows = session.execute(_NEW, {"most": people_max}).all()
    # Once more, now: a list that commits after this look screens these people itself.
    _screen(session, rows, current(session), now=now)
    return len(rows)


def rescreen(session: Session, *, now: datetime, people_max: int = PEOPLE_MAX) -> int:
    """
    Screen the next people by a list that was loaded; return how many there were.

    Only one worker does at a time; the others find nothing to do.
    """
    newest = session.scalars(
        select(SanctionLoad)
        .where(SanctionLoad.id == select(func.max(SanctionLoad.id)).scalar_subquery())
        .with_for_update(skip_locked=True),
        execution_options={"populate_existing": True},
    ).one_or_none()
    if newest is None or newest.screened_to >= newest.screen_until:
        return 0
    current(session)
    rows = session.execute(
        _NEXT,
        {"after": newest.screened_to, "until": newest.screen_until, "most": people_max},
    ).all()
    _screen(session, rows, current(session), now=now)
    newest.screened_to = rows[-1].id if len(rows) == people_max else newest.screen_until
    session.flush()
    return len(rows)


def current(session: Session) -> _Lists:
    """The lists as they stand; read anew only after a load."""
    newest = session.execute(
        select(SanctionLoad.id, SanctionLoad.digest).order_by(SanctionLoad.id.desc()).limit(1)
    ).one_or_none()
    version = None if newest is None else (newest.id, newest.digest)
    if version == _lists.version:
        return _lists
    named: list[tuple[Tag, str]] = []
    numbers: dict[str, list[Tag]] = {}
    entries: dict[Tag, Entry] = {}
    for row in session.execute(select(*Sanction.__table__.columns)):
        tag = (row.source, row.list_id)
        entries[tag] = Entry(
            row.list_id, row.name, tuple(row.aliases), tuple(row.numbers), tuple(row.born)
        )
        named += [(tag, name) for name in {row.name, *row.aliases}]
        for number in row.numbers:
            numbers.setdefault(number, []).append(tag)
    _lists.names, _lists.numbers = Names(named), numbers
    _lists.entries, _lists.version = entries, version
    return _lists


def matches(
    lists: _Lists, *, msisdn: str, names: Sequence[str], born_on: date | None
) -> list[Match]:
    """Everybody on the lists whom somebody is like, each once, for the best reason."""
    found = {
        tag: Match(tag, 1.0, {"by": "number", "number": msisdn})
        for tag in lists.numbers.get(msisdn, ())
    }
    for name in names:
        for like in lists.names.like(name):
            listed = lists.entries[like.tag].born
            apart = _years_apart(born_on, listed)
            score = like.score
            if apart is not None and apart > _YEARS_APART_MAX:
                score -= _BORN_PENALTY
            best = found.get(like.tag)
            if score < THRESHOLD or (best is not None and best.score >= score):
                continue
            why: dict[str, Any] = {
                "by": "name",
                "name": name,
                "listed": like.name,
                "words": like.words,
            }
            if apart is not None:
                why |= {"born": listed, "years_apart": apart}
            found[like.tag] = Match(like.tag, score, why)
    return list(found.values())


def _years_apart(born_on: date | None, listed: Sequence[str]) -> int | None:
    """How many years lie between; None where one side does not say."""
    if born_on is None or not listed:
        return None
    return min(abs(int(each[:4]) - born_on.year) for each in listed)


def _screen(session: Session, rows: Sequence[Row[Any]], lists: _Lists, *, now: datetime) -> None:
    """Keep what screening these people, whose rows are locked, comes to."""
    for row in rows:
        names = [row.name] if row.full_name in (None, row.name) else [row.name, row.full_name]
        found = matches(lists, msisdn=row.msisdn, names=names, born_on=row.born_on)
        if not found and row.screening == Screening.CLEAR:
            if row.screened_at is None:
                _standing(session, row.id, Screening.CLEAR, now)
            continue
        had = {
            (hit.source, hit.list_id, hit.entry_digest): hit.state
            for hit in session.execute(
                select(Hit.source, Hit.list_id, Hit.entry_digest, Hit.state).where(
                    Hit.subscriber_id == row.id
                )
            )
        }
        # Cleared by what a list said: where it says something else by now, nobody has looked.
        digests = {match.tag: lists.entries[match.tag].digest for match in found}
        news = [match for match in found if (*match.tag, digests[match.tag]) not in had]
        if news:
            _hit(session, row.id, news, lists, digests, now=now)
        is_hit = bool(news) or any(state != "cleared" for state in had.values())
        _standing(session, row.id, Screening.HIT if is_hit else Screening.CLEAR, now)


def _standing(session: Session, subscriber: int, screening: Screening, now: datetime) -> None:
    session.execute(
        text("UPDATE subscribers SET screening = :screening, screened_at = :now WHERE id = :id"),
        {"screening": screening.value, "now": now, "id": subscriber},
    )


def _hit(
    session: Session,
    subscriber: int,
    news: Sequence[Match],
    lists: _Lists,
    digests: Mapping[Tag, bytes],
    *,
    now: datetime,
) -> None:
    evidence = [
        Evidence(
            FactKind.HIT,
            f"{match.tag[0]}:{match.tag[1]}:{digests[match.tag].hex()[:16]}",
            now,
            {
                "source": match.tag[0],
                "list_id": match.tag[1],
                "entry": lists.entries[match.tag].name,
                "score": round(match.score, 3),
                "threshold": THRESHOLD,
            }
            | dict(match.why),
        )
        for match in news
    ]
    case = cases.suspect(
        session,
        kind=cases.Kind.SANCTIONS,
        subscriber=subscriber,
        evidence=evidence,
        within=None,
        actor=SCREENER,
        now=now,
    )
    assert case is not None, "a hit that is new is evidence that is new"
    session.execute(
        insert(Hit),
        [
            {
                "subscriber_id": subscriber,
                "source": match.tag[0],
                "list_id": match.tag[1],
                "entry_digest": digests[match.tag],
                "case_id": case,
                "found_at": now,
            }
            for match in news
        ],
    )
