"""
Members of staff: made, reset and ended at the desk; logged in by password and second factor.

There is no log-in without the second factor, and no way to set either by the doors. Which of name,
password and code was wrong is told to nobody. Five wrong tries lock a name for fifteen minutes,
whether somebody has it or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from core import audit
from core.access import staff, totp, tries
from core.access.principals import NotAuthenticated
from core.access.staff import Because, Opened, StaffMember
from core.access.tries import LogInLocked
from core.at_rest import Chest
from core.audit import Action, Actor
from core.otp_codes import parse
from core.pins import Hasher

PASSWORD_LENGTH_MIN: Final = 12
NAME_LENGTH_MAX: Final = 40


class Unfit(Exception):
    """What was asked for at the desk will not do; the words say why."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The secret of a new second factor, shown this once; the same as an address for a QR code."""

    secret: str = field(repr=False)
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody shows at the door. It shows in no error and no log."""

    name: str
    password: str = field(repr=False)
    code: str = field(repr=False)


def signature(name: str) -> str:
    """A name as it is kept: two ways of writing it are not two people."""
    return " ".join(name.split()).casefold()


def add(
    session: Session,
    *,
    name: str,
    password: str,
    hasher: Hasher,
    chest: Chest,
    actor: Actor,
    now: datetime,
) -> Enrolled:
    """
    Let somebody work here from now on.

    Raises:
        Unfit: There is such a name already, it is none, or the password is too short.
    """
    signed = signature(name)
    if not 0 < len(signed) <= NAME_LENGTH_MAX:
        raise Unfit(f"A name has 1 to {NAME_LENGTH_MAX} letters.")
    if session.scalar(select(StaffMember.id).where(StaffMember.name == signed)) is not None:
        raise Unfit("There is somebody of that name; names are never given twice.")
    secret = totp.new_secret()
    member = session.scalars(
        insert(StaffMember)
        .values(
            name=signed,
            password_hash=hasher.hash(_chosen(password)),
            secret=chest.lock(secret, purpose=_purpose(signed)),
            made_at=now,
        )
        .returning(StaffMember.id)
    ).one()
    _audit(session, actor, Action.STAFF_ADDED, member, now=now)
    return Enrolled(secret, totp.address(secret, name=signed))


def reset(
    session: Session,
    *,
    name: str,
    password: str,
    hasher: Hasher,
    chest: Chest,
    actor: Actor,
    now: datetime,
) -> Enrolled:
    """
    Set both factors of somebody anew. They are logged in nowhere, and unlocked.

    Raises:
        Unfit: Nobody of that name works here, or the password is too short.
    """
    member, secret = _working(session, name), totp.new_secret()
    session.execute(
        update(StaffMember)
        .where(StaffMember.id == member.id)
        .values(
            password_hash=hasher.hash(_chosen(password)),
            secret=chest.lock(secret, purpose=_purpose(member.name)),
            last_step=0,
        )
    )
    staff.end_all(session, staff=member.id, because=Because.RESET, now=now)
    tries.forget(session, subject=tries.of_staff(member.name))
    _audit(session, actor, Action.STAFF_RESET, member.id, now=now)
    return Enrolled(secret, totp.address(secret, name=member.name))


def end(session: Session, *, name: str, actor: Actor, now: datetime) -> None:
    """
    Let somebody work here no longer, at once and for good.

    Raises:
        Unfit: Nobody of that name does.
    """
    member = _working(session, name)
    session.execute(update(StaffMember).where(StaffMember.id == member.id).values(ended_at=now))
    staff.end_all(session, staff=member.id, because=Because.ENDED, now=now)
    _audit(session, actor, Action.STAFF_ENDED, member.id, now=now)


def listed(session: Session) -> Sequence[StaffMember]:
    """Everybody who ever worked here, by name."""
    return session.scalars(select(StaffMember).order_by(StaffMember.name)).all()


def log_in(
    session: Session, *, shown: Shown, hasher: Hasher, chest: Chest, actor: Actor, now: datetime
) -> Opened:
    """
    Log a member of staff in by both factors.

    A wrong try must be kept although it raises: call this outside of anything that is undone.

    Raises:
        InvalidOtp: The code is not six digits.
        LogInLocked: Five wrong tries, now or within fifteen minutes.
        NotAuthenticated: Something is wrong; what is not told.
    """
    digits, signed = parse(shown.code), signature(shown.name)
    anywhere, here = tries.of_staff(signed), tries.of_staff_at(signed, actor.origin)
    for subject in (anywhere, here):
        tries.require_unlocked(session, subject=subject, now=now)
    member = session.execute(
        select(
            StaffMember.id, StaffMember.password_hash, StaffMember.secret, StaffMember.last_step
        ).where(StaffMember.name == signed, StaffMember.ended_at.is_(None))
    ).one_or_none()
    step = None
    if member is None:
        hasher.hash(shown.password)  # takes as long as to compare one
    elif hasher.matches(member.password_hash, shown.password):
        secret = chest.open(member.secret, purpose=_purpose(signed))
        step = totp.step_of(secret, digits, after=member.last_step, now=now)
    if member is None or step is None:
        _count(session, signed, actor=actor, now=now)
        raise NotAuthenticated
    session.execute(
        text("UPDATE staff SET last_step = :step WHERE id = :it"), {"step": step, "it": member.id}
    )
    for subject in (anywhere, here):
        tries.forget(session, subject=subject)
    by = Actor(f"staff:{signed}", actor.origin, actor.request)
    _audit(session, by, Action.STAFF_LOGGED_IN, member.id, now=now)
    return staff.begin(session, staff=member.id, now=now)


def log_out(session: Session, *, log_in: int, member: int, actor: Actor, now: datetime) -> None:
    """End a log-in, by who is logged in."""
    staff.end(session, log_in=log_in, because=Because.LOGGED_OUT, now=now)
    _audit(session, actor, Action.STAFF_LOGGED_OUT, member, now=now)


def _chosen(password: str) -> str:
    if len(password) < PASSWORD_LENGTH_MIN:
        raise Unfit(f"A password has at least {PASSWORD_LENGTH_MIN} letters.")
    return password


def _working(session: Session, name: str) -> StaffMember:
    member = session.scalar(
        select(StaffMember).where(
            StaffMember.name == signature(name), StaffMember.ended_at.is_(None)
        )
    )
    if member is None:
        raise Unfit("Nobody of that name works here.")
    return member


def _count(session: Session, name: str, *, actor: Actor, now: datetime) -> None:
    """
    Count a wrong try against a name, at the address it came from and everywhere.

    Five from one address lock that address alone: names are no secret, and nobody must be kept from
    their work by whoever knows theirs. Only five addresses locked within a day lock the name.

    Raises:
        LogInLocked: It was one too many.
    """
    subject = tries.of_staff(name)
    audit.record(session, actor=actor, action=Action.STAFF_LOG_IN_FAILED, subject=subject, now=now)
    here = tries.count(session, subject=tries.of_staff_at(name, actor.origin), now=now)
    if here is None:
        return
    anywhere = tries.count(session, subject=subject, now=now)
    until = anywhere or here
    detail = {"until": until.isoformat(), "everywhere": anywhere is not None}
    audit.record(
        session, actor=actor, action=Action.LOG_IN_LOCKED, subject=subject, detail=detail, now=now
    )
    raise LogInLocked(until=until)


def _purpose(name: str) -> str:
    return f"staff:{name}"


def _audit(session: Session, actor: Actor, action: Action, member: int, *, now: datetime) -> None:
    audit.record(session, actor=actor, action=action, subject=f"staff:{member}", now=now)
