"""
Signing in with an issuer of identities (OpenID Connect): a way to show who one is, beside the code.

Somebody links their account there to theirs here, once, being logged in. From then on the issuer's
word is worth a one-time code: whoever has it still needs the PIN.

A sign-in is one attempt, of which whoever began it keeps a secret that no address ever carries:
what comes back with somebody else's answer, or an answer a second time, ends it. The answer is
exchanged at the issuer's by a worker; nothing outside is called from here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, outbox
from core.at_rest import Chest
from core.audit import Action, Actor
from core.db import Base
from core.errors import Denied, NotFound, Refused, Unavailable
from core.outbox import Event, Fact
from core.subscribers import Person, Subscriber

LIVES: Final = timedelta(minutes=10)


@dataclass(eq=False)
class SignInOver(Refused):
    """The sign-in is none, was used, or took longer than ten minutes; begin another."""


@dataclass(eq=False)
class SignInRefused(Denied):
    """The issuer's answer is not to this sign-in, or the issuer does not stand by it."""


@dataclass(eq=False)
class SignInUnavailable(Unavailable):
    """The issuer has not answered yet; asking again with the same answer goes on from there."""


@dataclass(eq=False)
class NoIssuer(NotFound):
    """There is nobody to sign in with but by phone: no issuer of identities is configured."""


@dataclass(eq=False)
class NotLinked(NotFound):
    """No account here is linked to that account of the issuer's: log in by phone, and link it."""


@dataclass(eq=False)
class AlreadyLinked(Refused):
    """That account of the issuer's, or this one, is linked already."""


class SignIn(Base):
    """
    One attempt. `subscriber_id` is who links; nobody is known yet of who logs in.

    `secrets` and `code` are locked, and emptied when the worker is done with them. `taken_at` is
    when a worker took it: the code is exchanged once, and never again if that worker died.
    """

    __tablename__ = "sign_ins"
    __table_args__ = (
        UniqueConstraint("hash"),
        Index("ix_sign_ins_expires_at", "expires_at"),
        Index(
            "ix_sign_ins_handed",
            "id",
            postgresql_where=text("handed_at IS NOT NULL AND taken_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    state_hash: Mapped[bytes] = mapped_column(LargeBinary)
    secrets: Mapped[str] = mapped_column(Text)
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey(Subscriber.id))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    code: Mapped[str | None] = mapped_column(Text)
    handed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    taken_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    issuer: Mapped[str | None] = mapped_column(Text)
    identity: Mapped[str | None] = mapped_column(Text)
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Link(Base):
    """An account of an issuer's (`identity` is its `sub`), and whose it is here."""

    __tablename__ = "links"
    __table_args__ = (
        Index(
            "uq_links_identity",
            "issuer",
            "identity",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "uq_links_subscriber",
            "issuer",
            "subscriber_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    issuer: Mapped[str] = mapped_column(Text)
    identity: Mapped[str] = mapped_column(Text)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    linked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Begun:
    """What goes to the issuer with the browser (`state`, `once`), and what does not as it is."""

    attempt: str = field(repr=False)
    state: str = field(repr=False)
    once: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Handed:
    """An answer to be exchanged: the code, and what was sent along when it was asked for."""

    id: int
    code: str = field(repr=False)
    once: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Known:
    """Whom the issuer knows the browser as, and who had begun, if they were logged in."""

    issuer: str
    identity: str
    subscriber: int | None


def begin(session: Session, *, subscriber: int | None, chest: Chest, now: datetime) -> Begun:
    """Begin to sign in; `subscriber` is who links, None where somebody logs in."""
    attempt, state, once = (secrets.token_urlsafe(32) for _each in range(3))
    verifier = secrets.token_urlsafe(48)
    hashed = _hash(attempt)
    kept = json.dumps({"once": once, "verifier": verifier})
    session.execute(
        insert(SignIn).values(
            hash=hashed,
            state_hash=_hash(state),
            secrets=chest.lock(kept, purpose=_purpose(hashed, "secrets")),
            subscriber_id=subscriber,
            expires_at=now + LIVES,
        )
    )
    return Begun(f"si_{attempt}", state, once, verifier)


def hand_in(
    session: Session, *, attempt: str, state: str, code: str, chest: Chest, now: datetime
) -> bool:
    """
    Take what the issuer sent back with the browser; say whether it is new.

    What does not belong to the attempt ends it, though this raises: call it outside of anything
    that is undone. The same again, while it is exchanged, is no harm.

    Raises:
        SignInOver: The attempt is none, was used, or took too long.
        SignInRefused: The answer is to another.
    """
    row = _locked(session, attempt, now=now)
    if not hmac.compare_digest(_hash(state), row.state_hash):
        row.used_at = now
        session.flush()
        raise SignInRefused
    if row.handed_at is not None:
        return False
    row.code = chest.lock(code, purpose=_purpose(row.hash, "code"))
    row.handed_at = now
    session.flush()
    return True


def take(session: Session, *, chest: Chest, now: datetime) -> Handed | None:
    """Take the next answer to exchange, which nobody else will."""
    row = session.scalar(
        select(SignIn)
        .where(SignIn.handed_at.is_not(None), SignIn.taken_at.is_(None), SignIn.expires_at > now)
        .order_by(SignIn.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return None
    row.taken_at = now
    kept = json.loads(chest.open(row.secrets, purpose=_purpose(row.hash, "secrets")))
    code = chest.open(row.code or "", purpose=_purpose(row.hash, "code"))
    return Handed(row.id, code, kept["once"], kept["verifier"])


def record(
    session: Session, *, sign_in: int, issuer: str, identity: str | None, now: datetime
) -> None:
    """Keep whom the issuer knows, or that it stands by nobody (None). What was secret goes."""
    session.execute(
        update(SignIn)
        .where(SignIn.id == sign_in, SignIn.done_at.is_(None))
        .values(done_at=now, issuer=issuer, identity=identity, code=None, secrets="")
    )


def is_done(session: Session, *, attempt: str) -> bool:
    """Whether the issuer has answered a worker, whatever it said."""
    done = select(SignIn.id).where(SignIn.hash == _hashed(attempt), SignIn.done_at.is_not(None))
    return session.scalar(done) is not None


def finish(session: Session, *, attempt: str, now: datetime) -> Known:
    """
    Whom the issuer knows, once.

    Raises:
        SignInOver: The attempt is none, was used, or took too long.
        SignInUnavailable: The issuer has not answered yet.
        SignInRefused: It stands by nobody.
    """
    row = _locked(session, attempt, now=now)
    if row.done_at is None:
        raise SignInUnavailable
    row.used_at = now
    session.flush()
    if row.issuer is None or row.identity is None:
        raise SignInRefused
    return Known(row.issuer, row.identity, row.subscriber_id)


def link(
    session: Session, *, person: Person, known: Known, called: str, actor: Actor, now: datetime
) -> None:
    """
    Link somebody's account here to the one they have with an issuer, and tell them.

    Raises:
        AlreadyLinked: One of the two is linked.
    """
    assert known.subscriber == person.id, "who links is who began"
    made = session.execute(
        text(
            "INSERT INTO links (issuer, identity, subscriber_id, linked_at)"
            " VALUES (:issuer, :identity, :subscriber, :now)"
            " ON CONFLICT DO NOTHING RETURNING id"
        ),
        {
            "issuer": known.issuer,
            "identity": known.identity,
            "subscriber": person.id,
            "now": now,
        },
    ).one_or_none()
    if made is None:
        raise AlreadyLinked
    audit.record(
        session,
        actor=actor,
        action=Action.ISSUER_LINKED,
        subject=f"subscriber:{person.id}",
        detail={"issuer": known.issuer, "identity": known.identity},
        now=now,
    )
    facts = {"at": now.isoformat(), "issuer": called}
    fact = Fact(Event.ISSUER_LINKED, person.msisdn, person.language.value, facts)
    outbox.stage(session, facts=[fact], now=now)


def unlink(session: Session, *, subscriber: int, issuer: str, actor: Actor, now: datetime) -> None:
    """
    End a link at once.

    Raises:
        NotLinked: There is none.
    """
    ended = session.scalars(
        update(Link)
        .where(Link.subscriber_id == subscriber, Link.issuer == issuer, Link.ended_at.is_(None))
        .values(ended_at=now)
        .returning(Link.identity)
    ).one_or_none()
    if ended is None:
        raise NotLinked
    audit.record(
        session,
        actor=actor,
        action=Action.ISSUER_UNLINKED,
        subject=f"subscriber:{subscriber}",
        detail={"issuer": issuer, "identity": ended},
        now=now,
    )


def number_of(session: Session, *, known: Known) -> str:
    """
    The number of who has linked an account of an issuer's.

    Raises:
        NotLinked: Nobody who has an account here.
    """
    msisdn = session.scalar(
        select(Subscriber.msisdn)
        .join(Link, Link.subscriber_id == Subscriber.id)
        .where(
            Link.issuer == known.issuer,
            Link.identity == known.identity,
            Link.ended_at.is_(None),
            Subscriber.closed_at.is_(None),
        )
    )
    if msisdn is None:
        raise NotLinked
    return msisdn


def _locked(session: Session, attempt: str, *, now: datetime) -> SignIn:
    row = session.scalar(
        select(SignIn)
        .where(SignIn.hash == _hashed(attempt), SignIn.used_at.is_(None), SignIn.expires_at > now)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise SignInOver
    return row


def _purpose(hashed: bytes, what: str) -> str:
    return f"sign-in:{hashed.hex()}:{what}"


def _hashed(attempt: str) -> bytes:
    return _hash(attempt.removeprefix("si_"))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
