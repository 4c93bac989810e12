"""
Orders: what a person asked for, and what became of it. Every movement of money starts as one.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import db, errors
from core.db import Base
from core.errors import DomainError, NotFound, Refused
from core.money import Currency, Money

# Crockford's base 32: no I, L, O or U, so that a reference survives being read out.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_LENGTH = 9


@dataclass(eq=False)
class KeyReused(Refused):
    """The key was used before for something else."""


@dataclass(eq=False)
class UnknownOrder(NotFound):
    """Nothing of theirs has that reference."""


class Kind(StrEnum):
    """What can be ordered. Its first letter begins the order's reference."""

    TRANSFER = "transfer"
    PAYMENT = "payment"
    EXCHANGE = "exchange"
    REDEMPTION = "redemption"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    REFUND = "refund"
    WITHDRAWAL = "withdrawal"


class State(StrEnum):
    """Where an order is. It leaves `placed` once, and never returns."""

    PLACED = "placed"
    DONE = "done"
    REFUSED = "refused"


class Asked(str):
    """
    The key of what a program asks for, with a hash of the request as it was sent.

    What a request comes to changes: a fee does, and a number's owner. That it is the same does not.
    """

    __slots__ = ("request",)
    request: bytes

    def __new__(cls, key: str, *, request: bytes) -> Self:
        """Take the key, and the hash of what is asked under it."""
        self = super().__new__(cls, key)
        self.request = request
        return self


class Order(Base):
    """
    What a person asked for.

    `args_hash` is of the arguments as they were first given under `key`, or of the request that
    they were made of; `outcome` is what became of the order: the facts of a success, or a refusal's
    code and parameters.
    """

    __tablename__ = "orders"
    __table_args__ = (
        Index("ix_orders_placed", "id", postgresql_where=text("state = 'placed'")),
        Index("ix_orders_newest", "subscriber_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    kind: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text, unique=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id"))
    args: Mapped[dict[str, Any]] = mapped_column(JSONB)
    args_hash: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text, server_default="placed")
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    placed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    executed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as its owner sees it."""

    id: int
    reference: str
    state: State
    outcome: Mapping[str, Any]

    @property
    def refusal(self) -> DomainError | None:
        """Why it was refused, as the error that says so."""
        return error_of(self.outcome) if self.state is State.REFUSED else None


@dataclass(frozen=True, slots=True)
class Claimed:
    """An order that is ours to execute; `about` is the payment, or the voucher, that it is for."""

    id: int
    kind: Kind
    about: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order, about to be recorded."""

    order: int
    state: State
    facts: Mapping[str, Any]

    @classmethod
    def refused(cls, order: int, error: DomainError) -> Self:
        """Keep a refusal with everything its words need."""
        params = {name: _plain(value) for name, value in error.params.items()}
        return cls(order, State.REFUSED, {"code": error.code, "params": params})


# In the driver's own words: every movement of money begins with it.
_PLACE = (
    "INSERT INTO orders (key, kind, reference, subscriber_id, args, args_hash, placed_at)"
    " VALUES (%s, %s, %s, %s, %s::jsonb, %s, %s) ON CONFLICT (key) DO NOTHING RETURNING id"
)


def place(
    session: Session,
    *,
    kind: Kind,
    subscriber: int,
    args: Mapping[str, Any],
    key: str,
    now: datetime,
) -> Placed:
    """
    Ask for something. Safe to repeat: the same key and arguments find the first order.

    Args:
        session: The hop's transaction; once it commits, the order will be executed.
        kind: What is asked for.
        subscriber: Whose money it is.
        args: JSON, amounts in minor units.
        key: What makes a repeat harmless.
        now: When it is asked.

    Raises:
        KeyReused: The key was used before with other arguments.
    """
    body = json.dumps(args, sort_keys=True, separators=(",", ":"))
    digest = (
        key.request
        if isinstance(key, Asked)
        else hashlib.sha256(f"{kind}\n{subscriber}\n{body}".encode()).digest()
    )
    called = reference(kind.value[0].upper())
    order = (
        session.connection()
        .exec_driver_sql(_PLACE, (str(key), kind.value, called, subscriber, body, digest, now))
        .scalar()
    )
    if order is not None:
        return Placed(order, called, State.PLACED, {})
    first = _under(session, key=key, digest=digest)
    assert first is not None, "its key was taken"
    return first


def hold_key(session: Session, *, key: str) -> None:
    """
    Let nobody else look what was asked for under a key until this commits.

    Orders and deposits are rows of different tables: what is unique in each is not so in both.
    """
    db.alone(session, f"key:{key}")


def asked(session: Session, *, key: Asked) -> Placed | None:
    """
    What was ordered by the same request before, if anything was.

    Raises:
        KeyReused: The key was used before by another request.
    """
    return _under(session, key=key, digest=key.request)


def _under(session: Session, *, key: str, digest: bytes) -> Placed | None:
    first = session.execute(
        select(Order.id, Order.reference, Order.state, Order.outcome, Order.args_hash).where(
            Order.key == str(key)
        )
    ).one_or_none()
    if first is None:
        return None
    if first.args_hash != digest:
        raise KeyReused
    return Placed(first.id, first.reference, State(first.state), first.outcome or {})


def reference(initial: str) -> str:
    """Make up what people will call something: a letter that says what it is, and nine others."""
    random = secrets.randbits(5 * _RANDOM_LENGTH)
    return initial + "".join(_ALPHABET[random >> 5 * at & 31] for at in range(_RANDOM_LENGTH))


def get(session: Session, *, order: int) -> Placed:
    """The order as it stands."""
    row = session.execute(
        select(Order.id, Order.reference, Order.state, Order.outcome).where(Order.id == order)
    ).one()
    return Placed(row[0], row[1], State(row[2]), row[3] or {})


def of_reference(session: Session, *, subscriber: int, reference: str) -> Order:
    """
    An order of theirs.

    Raises:
        UnknownOrder: They have none with that reference.
    """
    found = session.scalar(
        select(Order).where(Order.reference == reference, Order.subscriber_id == subscriber)
    )
    if found is None:
        raise UnknownOrder
    return found


def claim(session: Session, *, kinds: Sequence[Kind], orders_max: int) -> list[Claimed]:
    """
    Take the oldest orders that nobody is working on; they stay ours until this commits.

    A kind this process cannot execute is left to a newer one: during a deploy there are both.
    """
    rows = session.execute(
        text(
            "SELECT id, kind, CASE kind WHEN 'refund' THEN args ->> 'payment'"
            " WHEN 'redemption' THEN concat_ws(':', args ->> 'batch', args ->> 'number')"
            " END AS about FROM orders WHERE state = 'placed' AND kind = ANY (:kinds)"
            " ORDER BY id LIMIT :most"
            " FOR UPDATE SKIP LOCKED"
        ),
        {"most": orders_max, "kinds": list(kinds)},
    )
    return [Claimed(row.id, Kind(row.kind), row.about) for row in rows]


def oldest(session: Session, *, kinds: Sequence[Kind], now: datetime) -> timedelta:
    """How long the oldest order of these kinds has waited; zero where none does."""
    placed_at = session.scalar(
        text(
            "SELECT placed_at FROM orders WHERE state = 'placed' AND kind = ANY (:kinds)"
            " ORDER BY id LIMIT 1"
        ),
        {"kinds": list(kinds)},
    )
    return timedelta(0) if placed_at is None else max(now - placed_at, timedelta(0))


def record(session: Session, *, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write down what became of claimed orders."""
    session.execute(
        text(
            "UPDATE orders SET state = new.state, outcome = new.outcome, executed_at = :now"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]),"
            " CAST(:outcomes AS jsonb[])) AS new (id, state, outcome)"
            " WHERE orders.id = new.id AND orders.state = 'placed'"
        ),
        {
            "now": now,
            "ids": [outcome.order for outcome in outcomes],
            "states": [outcome.state.value for outcome in outcomes],
            "outcomes": [json.dumps(outcome.facts) for outcome in outcomes],
        },
    )


def _plain(value: object) -> object:
    """An error's parameter as JSON."""
    if isinstance(value, Money):
        return {"minor": value.minor, "currency": value.currency.value}
    if isinstance(value, datetime):
        return {"at": value.isoformat()}
    assert isinstance(value, int | str), f"an order cannot keep {value!r}"
    return value


def error_of(outcome: Mapping[str, Any]) -> DomainError:
    """The error that `Outcome.refused` kept."""
    kind = next(error for error in errors.leaves() if error.code == outcome["code"])
    return kind(**{name: _param(value) for name, value in outcome["params"].items()})


def _param(value: Any) -> object:  # noqa: ANN401 - whatever JSON holds
    """An error's parameter, out of JSON."""
    match value:
        case {"at": str(at)}:
            return datetime.fromisoformat(at)
        case {"minor": int(minor), "currency": str(currency)}:
            return Money(minor, Currency[currency])
    return value
