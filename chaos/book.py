"""
R1 to R5: the book under load while PostgreSQL is killed, and every way in which it could fail.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final
from unittest import mock

from chaos import broken, checks
from chaos.checks import Truth
from chaos.cluster import Book, Cluster, now
from chaos.figures import Control, Figures, say
from chaos.storm import Storm
from core import db, orders, transfers
from core.money import kes
from core.orders import KeyReused
from core.subscribers import Person
from core.transfers import Quote

_CONTROL_BLOWS_MAX: Final = 20
_CONTROL_KILLS_MAX: Final = 20
_ASKED: Final = 1_00


@dataclass(frozen=True)
class Pace:
    """How much of it: kills, seconds of load before each, and the least that says something."""

    kills: int
    load_seconds: float
    movements_min: int
    seconds_max: float
    """After which no further kill is made for the sake of movements alone."""


def check(cluster: Cluster, figures: Figures, *, pace: Pace) -> None:
    """Find every figure of the book's."""
    racy, boundless, believed, renamed = _unkilled(cluster)
    say(f"PostgreSQL killed {pace.kills} times under load …")
    unsafe = _unsafe(cluster)
    book = cluster.database("sound")
    storm = Storm(book, cluster.home / "sound", keeps=True)
    unbalanced = below = kills = 0
    slowest, ends = 0.0, time.monotonic() + pace.seconds_max
    while kills < pace.kills or (
        storm.told.posted < pace.movements_min and time.monotonic() < ends
    ):
        kills += 1
        slowest = max(slowest, _kill(cluster, storm, load_seconds=pace.load_seconds))
        with book.opened() as databases:
            unbalanced += checks.unbalanced(databases)
            below += checks.beyond_bounds(databases)
    found = _truth(storm)
    told = storm.told
    figures.at_least("kills of PostgreSQL under load", kills, "1", pace.kills)
    figures.at_least("movements that moved money", told.posted, "1", pace.movements_min)
    figures.told("movements that were refused", told.movements - told.posted, "1")
    figures.told("slowest recovery of PostgreSQL", slowest, "s")
    figures.none(
        "R1 minor units out of balance, after every kill",
        unbalanced,
        broken="post takes no lock; elsewhere, post_alone moves nothing back",
        control=racy,
    )
    figures.none(
        "R2 accounts beyond their bounds, now or ever",
        below,
        broken="no bound is looked at, by post or by the table",
        control=boundless,
    )
    figures.none(
        "R3 acknowledged movements lost",
        found.lost + found.replayed_off,
        broken="synchronous_commit = off",
        control=unsafe.lost,
    )
    figures.none(
        "R3 movements applied twice, or without anybody's knowledge",
        found.doubled + found.strangers,
        broken="a new key for each try",
        control=renamed.doubled,
    )
    figures.told("unknown outcomes", told.unknown, "1")
    figures.at_least("unknown outcomes that the repeat found in the book", told.committed, "1", 1)
    share = 100 * renamed.resolved / max(renamed.unknown, 1)
    figures.exactly(
        "R4 unknown outcomes resolved to one truth by the same key",
        100 * found.resolved / max(found.unknown, 1),
        "%",
        100,
        control=Control(
            "a new key for each try", round(share, 1), renamed.resolved < renamed.unknown
        ),
    )
    _lies(cluster, figures, tried=told.lies, found=told.believed, control=believed)


def _unkilled(cluster: Cluster) -> tuple[int, int, int, Truth]:
    """The controls that need no kill: what their checks find."""
    say("the controls that need no kill …")
    unbalanced = min(
        _unbalanced(cluster, "racy", broken.RACY), _unbalanced(cluster, "keeping", broken.KEEPING)
    )
    boundless = cluster.database("boundless")
    broken.change(boundless, broken.BOUNDLESS)
    boundless.run(broken.BOUNDLESS_TABLE)
    _blow(Storm(boundless, cluster.home / "boundless"))
    credulous = cluster.database("credulous")
    broken.change(credulous, broken.CREDULOUS)
    liars = Storm(credulous, cluster.home / "credulous")
    _blow(liars)
    renamed = Storm(cluster.database("renamed"), cluster.home / "renamed", new_keys=True)
    _blow(renamed)
    with boundless.opened() as in_debt:
        beyond = checks.beyond_bounds(in_debt)
    return unbalanced, beyond, liars.told.believed, _truth(renamed)


def _unbalanced(cluster: Cluster, name: str, changes: tuple[broken.Change, ...]) -> int:
    """A control that need not be noticed at once: by how much, when it was or had time enough."""
    book = cluster.database(name)
    broken.change(book, changes)
    storm, found = Storm(book, cluster.home / name), 0
    for _ in range(_CONTROL_BLOWS_MAX):
        _blow(storm)
        with book.opened() as databases:
            found = checks.unbalanced(databases)
        if found:
            break
    return found


def _unsafe(cluster: Cluster) -> Truth:
    """The control that needs kills, until it was caught or was killed often enough."""
    book = cluster.database("unsafe")
    book.run("ALTER DATABASE unsafe SET synchronous_commit = off")
    storm = Storm(book, cluster.home / "unsafe")
    for _ in range(_CONTROL_KILLS_MAX):
        _kill(cluster, storm, load_seconds=0.3)
        if (found := _truth(storm)).lost:
            break
    return found


def _kill(cluster: Cluster, storm: Storm, *, load_seconds: float) -> float:
    """Load for a while, kill under it, start again, let all be answered; how long it recovered."""
    with storm.blowing():
        time.sleep(load_seconds)
        cluster.crash()
        began = time.monotonic()
        cluster.start()
        return time.monotonic() - began


def _truth(storm: Storm) -> Truth:
    with storm.book.opened() as databases:
        return checks.truth(databases, storm.files)


def _blow(storm: Storm) -> None:
    """Load for a moment."""
    with storm.blowing():
        time.sleep(0.4)


def _lies(cluster: Cluster, figures: Figures, *, tried: int, found: int, control: int) -> None:
    figures.none(
        f"R5 the same key for another movement, accepted (of {tried})",
        found,
        broken="post takes the key for the whole request",
        control=control,
    )
    book = cluster.database("orders")
    with _without_hash():
        unhashed = _lying_orders(book, "unhashed")
    figures.none(
        f"R5 the same key for another order, accepted (of {len(book.people)})",
        _lying_orders(book, "hashed"),
        broken="every request has the same hash",
        control=unhashed,
    )


def _lying_orders(book: Book, name: str) -> int:
    """Everybody orders a transfer, and then another under the same key; how many got it."""
    accepted = 0
    with book.opened(role=db.WEB) as databases:
        for sender, recipient in zip(book.people, _turned(book.people), strict=True):
            for amount in (_ASKED, 2 * _ASKED):
                try:
                    with databases.begin() as session:
                        transfers.order(
                            session,
                            sender=sender,
                            recipient=recipient.id,
                            quoted=Quote(kes(amount), kes(0)),
                            key=f"{name}:{sender.id}",
                            now=now(),
                        )
                except KeyReused:
                    continue
                accepted += amount != _ASKED
    return accepted


def _turned(people: Sequence[Person]) -> Sequence[Person]:
    return [*people[1:], people[0]]


@contextmanager
def _without_hash() -> Iterator[None]:
    """Let every order's arguments have the same hash."""
    same = SimpleNamespace(digest=lambda: bytes(32))
    with mock.patch.object(orders, "hashlib", SimpleNamespace(sha256=lambda _: same)):
        yield
