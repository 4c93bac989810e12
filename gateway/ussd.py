"""The USSD door: `POST /ussd/africastalking/<token>`, and `…/events` for how sessions ended."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from flask import Blueprint, Response, abort, request
from werkzeug.exceptions import HTTPException

from core import inbox
from core.db import Databases, transact
from core.errors import DomainError
from gateway.aggregators import africastalking
from gateway.aggregators.africastalking import NotOurWire
from menus.conversation import Conversation

log = structlog.get_logger(__name__)

_NOT_UNDERSTOOD: Final = "END Sorry, the network sent us something we do not understand."


def door(
    conversation: Conversation,
    databases: Databases,
    clock: Callable[[], datetime],
    *,
    token: str,
) -> Blueprint:
    """
    Hang the USSD door.

    A wrong token is 404, as if nothing were here. Behind the token every failure is still 200
    with `END …` in words: anything else shows the caller the network's own error.
    """
    door = Blueprint("ussd", __name__, url_prefix="/ussd/africastalking")

    @door.post("/<given>")
    def hop(given: str) -> Response:
        check(given, token)
        try:
            dial = africastalking.dial(request.form)
        except (NotOurWire, DomainError, HTTPException) as error:
            log.warning("ussd.not_understood", error=type(error).__name__)
            return _said(_NOT_UNDERSTOOD)
        return _said(conversation.hear(dial))

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
    """Compare a door's token in constant time; a wrong one finds nothing here."""
    if not hmac.compare_digest(given.encode(), token.encode()):
        abort(404)


def _said(body: str) -> Response:
    return Response(body, mimetype="text/plain")
