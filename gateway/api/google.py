"""
`/api/v1/auth/google`: sign in with an issuer of identities, and link an account with it.

An app begins, opens the address it is told in a browser, and finishes with what came back. It
keeps the attempt to itself: an answer to somebody else's sign-in, slipped to it by a link, ends
there. What the issuer vouches for is worth a ticket; the PIN is asked for all the same.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from apiflask import APIBlueprint
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from redis.exceptions import RedisError

from core.access import issuers, tickets
from core.access.issuers import Begun, Known
from core.access.principals import Permission
from core.access.tickets import Shown
from gateway.api import edge
from gateway.api.access import needs, public
from gateway.api.auth import PINS, confirm_pin
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.schemas.access import (
    Confirmed,
    SignInAnswered,
    SignInBegun,
    TicketTold,
)

TAG: Final = {"name": "Sign in with Google", "description": "Or with whoever is configured."}

WAIT_SECONDS_MAX: Final = 5.0
_LOOK_SECONDS: Final = 0.05
# The others are told to ask again: waiting must never take every thread of the web.
_WAITING_MAX: Final = 2
_chairs: Final = threading.BoundedSemaphore(_WAITING_MAX)


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("google", __name__, url_prefix="/api/v1/auth/google", tag=TAG)
    _log_in(door, api)
    _link(door, api)
    return door


def _log_in(door: APIBlueprint, api: Api) -> None:
    @door.post("")
    @public
    @door.output(SignInBegun, status_code=201)
    @refuses(issuers.NoIssuer)
    def begin_sign_in() -> SignInBegun:
        """Begin to log in with the issuer: open its address in a browser."""
        return _begin(api, subscriber=None)

    @door.post("/finish")
    @public
    @door.input(SignInAnswered, arg_name="answered")
    @door.output(TicketTold)
    @refuses(
        issuers.SignInOver,
        issuers.SignInRefused,
        issuers.SignInUnavailable,
        issuers.NoIssuer,
        issuers.NotLinked,
    )
    def finish_sign_in(answered: SignInAnswered) -> TicketTold:
        """Take what the issuer sent back for a ticket, to log in with by PIN."""
        known = _finish(api, answered)
        if known.subscriber is not None:
            raise issuers.SignInRefused
        session = edge.session()
        number = issuers.number_of(session, known=known)
        ticket = tickets.give(session, msisdn=number, shown=Shown.ISSUER, now=edge.now())
        lives = int(tickets.LIVES.total_seconds())
        return TicketTold(ticket=ticket, registered=True, expires_in=lives)


def _link(door: APIBlueprint, api: Api) -> None:
    @door.post("/link")
    @needs(Permission.OWN)
    @door.input(Confirmed, arg_name="given")
    @door.output(SignInBegun, status_code=201)
    @refuses(issuers.NoIssuer, *PINS)
    def begin_link(given: Confirmed) -> SignInBegun:
        """Begin to link the caller's account to one of the issuer's, confirmed by PIN."""
        person = edge.person()
        confirm_pin(api, person, given.pin)
        return _begin(api, subscriber=person.id)

    @door.post("/link/finish")
    @needs(Permission.OWN)
    @door.input(SignInAnswered, arg_name="answered")
    @door.output({}, status_code=204)
    @refuses(
        issuers.SignInOver,
        issuers.SignInRefused,
        issuers.SignInUnavailable,
        issuers.NoIssuer,
        issuers.AlreadyLinked,
    )
    def finish_link(answered: SignInAnswered) -> str:
        """Link the accounts, by who began it."""
        person = edge.person()
        known = _finish(api, answered)
        if known.subscriber != person.id:
            raise issuers.SignInRefused
        issuers.link(
            edge.session(),
            person=person,
            known=known,
            called=_issuer(api).called,
            actor=edge.actor(person),
            now=edge.now(),
        )
        return ""

    @door.delete("/link")
    @needs(Permission.OWN)
    @door.output({}, status_code=204)
    @refuses(issuers.NotLinked, issuers.NoIssuer)
    def unlink() -> str:
        """End the link, at once."""
        person = edge.person()
        issuers.unlink(
            edge.session(),
            subscriber=person.id,
            issuer=_issuer(api).name,
            actor=edge.actor(person),
            now=edge.now(),
        )
        return ""


def _issuer(api: Api) -> edge.Issuer:
    if api.issuer is None:
        raise issuers.NoIssuer
    return api.issuer


def _begin(api: Api, *, subscriber: int | None) -> SignInBegun:
    issuer = _issuer(api)
    begun = issuers.begin(edge.session(), subscriber=subscriber, chest=api.chest, now=edge.now())
    return SignInBegun(
        attempt=begun.attempt,
        authorization_url=_address(issuer, begun),
        expires_in=int(issuers.LIVES.total_seconds()),
    )


def _address(issuer: edge.Issuer, begun: Begun) -> str:
    return str(
        prepare_grant_uri(
            issuer.authorization_url,
            client_id=issuer.client_id,
            response_type="code",
            redirect_uri=issuer.redirect_url,
            scope="openid",
            state=begun.state,
            nonce=begun.once,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
        )
    )


def _finish(api: Api, answered: SignInAnswered) -> Known:
    """
    Hand the answer to a worker, wait a moment for the issuer's word, and have it, once.

    Raises:
        SignInOver, SignInRefused, SignInUnavailable: As `issuers.finish`.
    """
    issuer = _issuer(api)
    attempt = answered.attempt.get_secret_value()
    # Whoever mixes two issuers up would hand one's code to the other (RFC 9207).
    if answered.iss is not None and answered.iss.rstrip("/") != issuer.name:
        raise issuers.SignInRefused
    with edge.recorded() as session:
        issuers.hand_in(
            session,
            attempt=attempt,
            state=answered.state.get_secret_value(),
            code=answered.code.get_secret_value(),
            chest=api.chest,
            now=edge.now(),
        )
    edge.commit()
    try:
        issuer.ring()
    except RedisError:
        raise issuers.SignInUnavailable from None
    _wait(attempt)
    with edge.recorded() as session:
        known = issuers.finish(session, attempt=attempt, now=edge.now())
    # Used up, whatever comes of it.
    edge.commit()
    return known


def _wait(attempt: str) -> None:
    """Look until the worker has heard, five seconds at most, with no transaction open."""
    if not _chairs.acquire(blocking=False):
        return
    try:
        until = time.monotonic() + WAIT_SECONDS_MAX
        while not issuers.is_done(edge.reading(), attempt=attempt) and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
    finally:
        _chairs.release()
