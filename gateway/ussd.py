"""The USSD door: `POST /ussd/africastalking/<token>`, and `…/events` for how sessions ended."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import structlog
from flask import Blueprint, Response, abort, request
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_input_stream

from core import inbox
from core.db import Databases, transact
from core.errors import DomainError
from gateway.aggregators import africastalking
from gateway.aggregators.africastalking import NotOurWire
from menus.conversation import Conversation
from menus.sessions import Said

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

# The longest thing anybody sends us is an end-of-session event: well under a kilobyte.
BODY_BYTES_MAX: Final = 16 * 1024
FIELDS_MAX: Final = 50

_PREFIX: Final = "/ussd/africastalking"
_NOT_UNDERSTOOD: Final = Said(
    "END Sorry, the network sent us something we do not understand."
    "\nSamahani, mtandao umetutumia tusichoelewa.",
    "session.Unread",
)


class Hops:
    """
    Answers hops, and leaves everything else to what stands behind it.

    A wrong token is 404, as if nothing were here. Behind the token every failure is still 200
    with `END …` in words: anything else shows the caller the network's own error.

    It stands before Flask, whose routing and contexts cost as much as the whole conversation of a
    navigation hop (docs/decisions/0012).
    """

    def __init__(self, behind: WSGIApplication, conversation: Conversation, *, token: str) -> None:
        """Stand before an application, with the token that callers must know."""
        self._behind = behind
        self._conversation = conversation
        self._token = token

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a hop (WSGI)."""
        place, _slash, given = environ.get("PATH_INFO", "").rpartition("/")
        if (
            place != _PREFIX
            or environ["REQUEST_METHOD"] != "POST"
            or not is_known(given, self._token)
        ):
            return self._behind(environ, start_response)
        said = self._hear(environ)
        body = said.body.encode()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("at-ussd-hop-metadata", said.screen),
        ]
        start_response("200 OK", headers)
        return [body]

    def _hear(self, environ: WSGIEnvironment) -> Said:
        try:
            dial = africastalking.dial(_form(environ))
        except (NotOurWire, DomainError, HTTPException, ValueError) as error:
            log.warning("ussd.not_understood", error=type(error).__name__)
            return _NOT_UNDERSTOOD
        return self._conversation.hear(dial)


def _form(environ: WSGIEnvironment) -> Mapping[str, str]:
    """
    Read a hop's fields, whatever its content type is called; of a doubled field, the first.

    Raises:
        RequestEntityTooLarge: There is more than any hop has.
        ValueError: There are more fields than anybody sends.
    """
    body = get_input_stream(environ, max_content_length=BODY_BYTES_MAX).read()
    fields = parse_qsl(
        body.decode(errors="replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX
    )
    return dict(reversed(fields))


def door(databases: Databases, clock: Callable[[], datetime], *, token: str) -> Blueprint:
    """Hang the door at which sessions are told to have ended. A wrong token is 404."""
    door = Blueprint("ussd", __name__, url_prefix=_PREFIX)

    @door.post("/<given>/events")
    def ended(given: str) -> Response:
        check(given, token)
        try:
            told = africastalking.ended(request.form)
        except (NotOurWire, DomainError, HTTPException) as error:
            log.warning("ussd.event_not_understood", error=type(error).__name__)
            return _said("")  # repeating it would not make it better
        now = clock()
        transact(
            databases,
            lambda session: inbox.receive(
                session,
                provider="africastalking",
                kind=told.kind,
                key=told.key,
                form=told.form,
                now=now,
            ),
        )
        return _said("")

    return door


def check(given: str, token: str) -> None:
    """Let nobody in who does not know a door's token: nothing is here for them."""
    if not is_known(given, token):
        abort(404)


def is_known(given: str, token: str) -> bool:
    """Compare a door's token in constant time."""
    return hmac.compare_digest(given.encode(), token.encode())


def _said(body: str) -> Response:
    return Response(body, mimetype="text/plain")
