"""
Who calls: finds out by an access token or an API key. Whatever is wrong, the answer is the same.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from flask import g, request
from sqlalchemy.orm import Session

from core.access import devices, keys, staff
from core.access.devices import Standing
from core.access.principals import OF_PEOPLE, OF_STAFF, Kind, NotAuthenticated, Principal
from core.access.tokens import Keyring
from gateway import problems
from gateway.api.access import CHALLENGE
from gateway.api.quick_look import QuickLook
from gateway.problems import Halted

# What only looks.
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_TOLD: Final = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Doorkeeper:
    """Finds out who calls."""

    def __init__(self, keyring: Keyring, quick: QuickLook) -> None:
        """Take what tokens are known by, and the copy of who is logged in."""
        self._keyring, self._quick = keyring, quick

    def __call__(self, header: str, session: Session, now: datetime) -> Principal:
        """
        Read an `Authorization` header.

        Raises:
            Halted: Nobody is known by it.
        """
        scheme, _blank, shown = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Halted(problems.NOT_KNOWN, headers=CHALLENGE)
        try:
            if keys.is_key(shown):
                return self._service(shown, session, now)
            return self._person(shown, session, now)
        except NotAuthenticated:
            raise Halted(problems.NOT_KNOWN, headers=_TOLD) from None

    def _service(self, key: str, session: Session, now: datetime) -> Principal:
        good = keys.find(session, key=key, now=now)
        if good is None:
            raise NotAuthenticated
        if good.to_note:
            keys.note_use(session, key=good.id, now=now)
        return Principal(
            kind=Kind.SERVICE,
            subscriber=good.subscriber,
            staff=None,
            permissions=good.permissions,
            second_factor=False,
            device=None,
            key=good.id,
            request=g.request_id,
        )

    def _person(self, token: str, session: Session, now: datetime) -> Principal:
        public_id = self._keyring.device_of(token, now=now)
        if staff.is_of_staff(public_id):
            return self._staff(public_id, session, now)
        device = self._standing(public_id, session, now)
        if device is None:
            raise NotAuthenticated
        return Principal(
            kind=Kind.PERSON,
            subscriber=device.subscriber,
            staff=None,
            permissions=OF_PEOPLE,
            second_factor=device.second_factor,
            device=device.id,
            key=None,
            request=g.request_id,
        )

    def _staff(self, public_id: str, session: Session, now: datetime) -> Principal:
        """A member of staff. There is no copy to ask: what has ended has ended for looks, too."""
        log_in = staff.find(session, public_id=public_id, now=now)
        if log_in is None:
            raise NotAuthenticated
        return Principal(
            kind=Kind.STAFF,
            subscriber=None,
            staff=log_in.staff,
            permissions=OF_STAFF,
            second_factor=True,
            device=None,
            key=None,
            request=g.request_id,
            log_in=log_in.log_in,
            name=log_in.name,
        )

    def _standing(self, public_id: str, session: Session, now: datetime) -> Standing | None:
        """The device, by a copy where somebody only looks, by the book of them otherwise."""
        looks = request.method in _SAFE
        if looks and (seen := self._quick.find(public_id)) is not None:
            return seen
        found = devices.find(session, public_id=public_id, now=now)
        if found is not None:
            self._quick.keep(public_id, found)
        return found
