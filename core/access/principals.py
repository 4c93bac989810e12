"""
Principals: who calls by a program, and what they may do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.errors import Denied


@dataclass(eq=False)
class NotAuthenticated(Denied):
    """There is no token or key with the request, or none that is good; why is not told."""


class Kind(StrEnum):
    """What kind of caller somebody is."""

    PERSON = "person"
    """A subscriber, by an app on a device of theirs."""
    SERVICE = "service"
    """A program, by an API key that a subscriber has made for it."""
    STAFF = "staff"
    """Somebody who works here."""


class Permission(StrEnum):
    """What a caller may do. A person may do everything with what is their own."""

    READ = "read"
    """See what is there."""
    DEPOSIT = "deposit"
    """Bring money in."""
    TRANSFER = "transfer"
    """Move money inside."""
    WITHDRAW = "withdraw"
    """Take money out."""
    OWN = "own"
    """Say who may act for a person: devices, keys, second factors. No API key has it."""
    ADMIN = "admin"
    """Do what staff do."""


OF_SERVICES: Final = frozenset(
    {Permission.READ, Permission.DEPOSIT, Permission.TRANSFER, Permission.WITHDRAW}
)
OF_PEOPLE: Final = OF_SERVICES | {Permission.OWN}
OF_STAFF: Final = frozenset({Permission.ADMIN})


@dataclass(frozen=True, slots=True)
class Principal:
    """
    Who calls.

    Args:
        kind: What they are.
        subscriber: Whose account they act for; None for staff.
        staff: Who of the staff they are; None for everybody else.
        permissions: What they may do.
        second_factor: Whether this log-in was confirmed by one.
        device: The device they are logged in on (`core.access.devices`); None for services.
        key: The API key they showed; None for people and staff.
        request: The id of this request, which the logs and the audit log share.
        log_in: The log-in of a member of staff (`core.access.staff`); None for everybody else.
        name: What a member of staff is called in the audit log.
    """

    kind: Kind
    subscriber: int | None
    staff: int | None
    permissions: frozenset[Permission]
    second_factor: bool
    device: int | None
    key: int | None
    request: str
    log_in: int | None = None
    name: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether they may do something."""
        return permission in self.permissions
