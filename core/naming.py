"""
Names: what may stand on a receipt, and who may be called otherwise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from core import audit
from core.audit import Action, Actor
from core.errors import Denied, Invalid, Refused
from core.subscribers import AccountClosed

_LENGTH_MAX: Final = 20
# "KES 5,000 from Kabambe" would be believed.
_NAME: Final = r"(?ai)(?!.*kabambe)[a-z][a-z' .-]*[a-z]\.?"


_SHOWN: Final = 3


def masked(name: str) -> str:
    """Show enough of a name to be sure of somebody one knows: `Wan*** Kam***`."""
    return " ".join(
        f"{word[:_SHOWN] if len(word) > _SHOWN else word[:1]}***" for word in name.split()
    )


@dataclass(eq=False)
class InvalidName(Invalid):
    """That is not a name we can print on a receipt."""


@dataclass(eq=False)
class NameVerified(Refused):
    """The name is the one on papers that we have seen."""


@dataclass(eq=False)
class RenamedLately(Refused):
    """The name was changed less than a day ago."""

    until: datetime


def require_renamable(session: Session, *, subscriber: int, now: datetime) -> None:
    """
    Say early whether somebody may change their name.

    Raises:
        NameVerified, RenamedLately, AccountClosed: As `rename`.
    """
    refusal = session.scalar(select(func.renaming_refusal(subscriber, now, type_=JSONB)))
    if refusal is not None:
        raise _not_renamed(refusal)


def _not_renamed(refusal: Mapping[str, str]) -> Denied | Refused:
    """What `renaming_refusal` found, as its error."""
    if refusal["code"] == RenamedLately.code:
        return RenamedLately(until=datetime.fromisoformat(refusal["until"]))
    return NameVerified() if refusal["code"] == NameVerified.code else AccountClosed()


def rename(session: Session, *, subscriber: int, name: str, actor: Actor, now: datetime) -> None:
    """
    Let somebody be seen under another name. The new one is screened as that of somebody new.

    Raises:
        NameVerified: Theirs is the one on papers that we have seen.
        RenamedLately: It was changed less than a day ago.
        AccountClosed: It was closed meanwhile.
    """
    told = session.scalar(select(func.rename_subscriber(subscriber, name, now, type_=JSONB))) or {}
    if "code" in told:
        raise _not_renamed(told)
    audit.record(
        session,
        actor=actor,
        action=Action.NAME_SET,
        subject=f"subscriber:{subscriber}",
        detail={"was": told["was"], "name": name},
        now=now,
    )


def parse_name(typed: str) -> str:
    """
    Make what a person typed as their name printable on any phone, in plain letters.

    Raises:
        InvalidName: Under two letters, over twenty characters, not Latin letters, or our own name.
    """
    plain = unicodedata.normalize("NFKD", typed.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    name = " ".join(plain.split())
    if len(name) > _LENGTH_MAX or not re.fullmatch(_NAME, name):
        raise InvalidName
    return name.title() if name.islower() or name.isupper() else name
