"""
Webhooks: the addresses at which a subscriber's own programs are told what became of their money.

What is told, and what became of telling it, is in `core.webhook_deliveries`.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Row,
    Text,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, internet
from core.at_rest import Chest
from core.audit import Action, Actor
from core.db import Base
from core.errors import Invalid, NotFound, Refused
from core.outbox import WEBHOOK_TYPES
from core.subscribers import Subscriber

ENDPOINTS_MAX: Final = 5
# For so long after another was made the secret before it still signs, too.
OVERLAP: Final = timedelta(hours=24)

_URL_LENGTH_MAX: Final = 500
_DESCRIPTION_LENGTH_MAX: Final = 100
_PORTS: Final = frozenset({443, 8443})
_NAME: Final = re.compile(
    r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
)
_SECRET_BYTES: Final = 32
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtext('kabambe.webhooks'), hashint8(:owner))")

_MISSED: Final = text(
    "UPDATE webhook_deliveries SET state = 'missed', ended_at = :now"
    " WHERE endpoint_id = :endpoint AND state = 'waiting'"
)


@dataclass(eq=False)
class InvalidWebhook(Invalid):
    """The address is not one that we call: https, a public name, port 443 or 8443."""


@dataclass(eq=False)
class UnknownEventType(Invalid):
    """There is no event of that type."""


@dataclass(eq=False)
class UnknownWebhook(NotFound):
    """They have no such webhook."""


@dataclass(eq=False)
class TooManyWebhooks(Refused):
    """They have as many webhooks as one may have."""

    count_max: int


class EndpointState(StrEnum):
    """Whether an endpoint is called."""

    ACTIVE = "active"
    DISABLED = "disabled"
    """Its owner turned it off, or it took nothing for days. What it misses is kept for a replay."""
    REMOVED = "removed"
    """For good. What was told stays in the log until that is cleared."""


@dataclass(eq=False)
class SecretJustRotated(Refused):
    """The secret before the present one still signs until then: a third would end it early."""

    until: datetime


class Endpoint(Base):
    """
    An address of a subscriber's program.

    `types` are the types of events it wants, none for all. `secret` and the one before it are
    locked (`core.at_rest`). `failing_since` is when the first of an unbroken row of failures
    began, `failures` how many there were; it is left alone until `rests_until`.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'disabled', 'removed')", name="state"),
        Index(
            "ix_webhook_endpoints_subscriber_id",
            "subscriber_id",
            postgresql_where=text("state <> 'removed'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[str] = mapped_column(Text, server_default=EndpointState.ACTIVE.value)
    secret: Mapped[str] = mapped_column(Text)
    secret_before: Mapped[str | None] = mapped_column(Text)
    secret_before_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    failing_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    failures: Mapped[int] = mapped_column(Integer, server_default="0")
    rests_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    disabled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    disabled_why: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint as its owner sees it."""

    id: int
    code: str
    url: str
    description: str
    types: Sequence[str]
    state: EndpointState
    made_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str | None


_SEEN = select(
    Endpoint.id,
    Endpoint.code,
    Endpoint.url,
    Endpoint.description,
    Endpoint.types,
    Endpoint.state,
    Endpoint.made_at,
    Endpoint.failing_since,
    Endpoint.disabled_at,
    Endpoint.disabled_why,
).where(Endpoint.state != EndpointState.REMOVED.value)


def check(url: str, *, loopback: bool) -> SplitResult:
    """
    See that an address is one that we call. Where its name leads is seen when it is called.

    Args:
        url: The address.
        loopback: Whether this very machine may be called, by any port and without TLS.

    Raises:
        InvalidWebhook: It is not.
    """
    # Parsers differ about blanks, backslashes and what is not ASCII: such is nobody's address.
    if len(url) > _URL_LENGTH_MAX or not re.fullmatch(r"[!-\[\]-~]+", url):
        raise InvalidWebhook
    try:
        parts = urlsplit(url)
        port, name = parts.port, (parts.hostname or "").lower()
    except ValueError:
        raise InvalidWebhook from None
    if "@" in parts.netloc or "#" in url or port == 0:
        raise InvalidWebhook
    if loopback and parts.scheme in {"http", "https"} and internet.is_loopback(name):
        return parts
    if parts.scheme != "https" or (port or 443) not in _PORTS:
        raise InvalidWebhook
    if not internet.is_public(name) and not _NAME.fullmatch(name):
        raise InvalidWebhook
    return parts


def add(
    session: Session,
    *,
    subscriber: int,
    url: str,
    description: str,
    types: Collection[str],
    loopback: bool,
    chest: Chest,
    actor: Actor,
    now: datetime,
) -> tuple[Webhook, str]:
    """
    Tell a subscriber's program from now on what becomes of their money; return its secret, once.

    Args:
        session: The caller's transaction.
        subscriber: Whose program.
        url: Where it listens.
        description: What they call it.
        types: The types of events it wants; none for all.
        loopback: Whether this very machine may be called.
        chest: Locks the secret.
        actor: Who does it.
        now: When.

    Raises:
        InvalidWebhook: The address is not one that we call.
        UnknownEventType: There is no event of such a type.
        TooManyWebhooks: They have as many as one may have.
    """
    check(url, loopback=loopback)
    session.execute(_LOCK, {"owner": subscriber})
    if len(listed(session, subscriber=subscriber)) >= ENDPOINTS_MAX:
        raise TooManyWebhooks(count_max=ENDPOINTS_MAX)
    secret, code = _secret(), f"we_{secrets.token_hex(16)}"
    session.execute(
        insert(Endpoint).values(
            code=code,
            subscriber_id=subscriber,
            url=url,
            description=_described(description),
            types=_wanted(types),
            secret=chest.lock(secret, purpose=purpose(subscriber)),
            made_at=now,
        )
    )
    _audit(session, Action.WEBHOOK_ADDED, code, actor=actor, now=now, url=url)
    return find(session, subscriber=subscriber, code=code), secret


def listed(session: Session, *, subscriber: int) -> list[Webhook]:
    """Their webhooks, in the order in which they were made."""
    rows = session.execute(_SEEN.where(Endpoint.subscriber_id == subscriber).order_by(Endpoint.id))
    return [_seen(row) for row in rows]


def find(session: Session, *, subscriber: int, code: str) -> Webhook:
    """
    One of their webhooks.

    Raises:
        UnknownWebhook: They have none of that code.
    """
    row = session.execute(
        _SEEN.where(Endpoint.subscriber_id == subscriber, Endpoint.code == code)
    ).one_or_none()
    if row is None:
        raise UnknownWebhook
    return _seen(row)


def change(
    session: Session,
    *,
    subscriber: int,
    code: str,
    url: str | None = None,
    description: str | None = None,
    types: Collection[str] | None = None,
    is_active: bool | None = None,
    loopback: bool,
    actor: Actor,
    now: datetime,
) -> Webhook:
    """
    Change what is given of a webhook; what is None stays.

    Turned on again it begins anew: what it missed stays missed until its owner has it replayed.

    Raises:
        UnknownWebhook, InvalidWebhook, UnknownEventType: As `find` and `add`.
    """
    found = find(session, subscriber=subscriber, code=code)
    values: dict[str, object] = {}
    if url is not None:
        check(url, loopback=loopback)
        values["url"] = url
    if description is not None:
        values["description"] = _described(description)
    if types is not None:
        values["types"] = _wanted(types)
    if is_active is not None and is_active != (found.state is EndpointState.ACTIVE):
        state = EndpointState.ACTIVE if is_active else EndpointState.DISABLED
        values |= {
            "state": state.value,
            "failing_since": None,
            "failures": 0,
            "rests_until": None,
            "disabled_at": None if is_active else now,
            "disabled_why": None if is_active else "owner",
        }
    if values:
        session.execute(update(Endpoint).where(Endpoint.id == found.id).values(**values))
        if is_active is False:
            session.execute(_MISSED, {"endpoint": found.id, "now": now})
        detail = {name: values[name] for name in ("url", "types", "state") if name in values}
        _audit(session, Action.WEBHOOK_CHANGED, code, actor=actor, now=now, **detail)
    return find(session, subscriber=subscriber, code=code)


def rotate(
    session: Session, *, subscriber: int, code: str, chest: Chest, actor: Actor, now: datetime
) -> tuple[str, datetime]:
    """
    Give a webhook another secret; return it, once, and until when the one before it signs as well.

    Raises:
        UnknownWebhook: They have none of that code.
        SecretJustRotated: The one before still signs, and whoever has that would be cut off.
    """
    found = find(session, subscriber=subscriber, code=code)
    both = select(Endpoint.secret_before_until).where(Endpoint.id == found.id).with_for_update()
    signs_until = session.scalar(both)
    if signs_until is not None and now < signs_until:
        raise SecretJustRotated(until=signs_until)
    secret, until = _secret(), now + OVERLAP
    locked = chest.lock(secret, purpose=purpose(subscriber))
    session.execute(select(func.rotate_webhook_secret(found.id, locked, until)))
    _audit(session, Action.WEBHOOK_ROTATED, code, actor=actor, now=now)
    return secret, until


def remove(session: Session, *, subscriber: int, code: str, actor: Actor, now: datetime) -> None:
    """
    Call an address no more.

    Raises:
        UnknownWebhook: They have none of that code.
    """
    found = find(session, subscriber=subscriber, code=code)
    session.execute(
        update(Endpoint).where(Endpoint.id == found.id).values(state=EndpointState.REMOVED.value)
    )
    session.execute(_MISSED, {"endpoint": found.id, "now": now})
    _audit(session, Action.WEBHOOK_REMOVED, code, actor=actor, now=now)


def purpose(subscriber: int) -> str:
    """What the secrets of somebody's webhooks are locked for."""
    return f"webhook:{subscriber}"


def _secret() -> str:
    """A secret as Standard Webhooks writes them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _wanted(types: Collection[str]) -> list[str]:
    if not set(types) <= set(WEBHOOK_TYPES.values()):
        raise UnknownEventType
    return sorted(set(types))


def _described(description: str) -> str:
    """One line, no longer than a screen has room for."""
    return " ".join(description.split())[:_DESCRIPTION_LENGTH_MAX]


def _audit(
    session: Session, action: Action, code: str, *, actor: Actor, now: datetime, **detail: object
) -> None:
    audit.record(
        session, actor=actor, action=action, subject=f"webhook:{code}", detail=detail, now=now
    )


def _seen(row: Row[Any]) -> Webhook:
    return Webhook(
        id=row.id,
        code=row.code,
        url=row.url,
        description=row.description,
        types=row.types,
        state=EndpointState(row.state),
        made_at=row.made_at,
        failing_since=row.failing_since,
        disabled_at=row.disabled_at,
        disabled_why=row.disabled_why,
    )
