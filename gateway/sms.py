"""The SMS doors: `POST /sms/africastalking/<token>/{inbound,delivery,optout,subscription}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

import structlog
from flask import Blueprint, Response, abort, request
from werkzeug.exceptions import HTTPException

from core import inbox
from core.codes import Veil
from core.db import Databases, transact
from core.otp_codes import OtpKey
from gateway.aggregators import africastalking
from gateway.aggregators.africastalking import NotOurWire, Told
from gateway.ussd import check

log = structlog.get_logger(__name__)


def door(
    databases: Databases,
    clock: Callable[[], datetime],
    *,
    token: str,
    veil: Veil,
    otp_key: OtpKey,
) -> Blueprint:
    """
    Hang the SMS doors. What is stored is acknowledged; the provider repeats what is not.

    A form we do not understand is acknowledged too: its repeat would be no better.
    """
    readers: Mapping[str, Callable[[Mapping[str, str]], Told]] = {
        "inbound": partial(africastalking.inbound, veil=veil, otp_key=otp_key),
        "delivery": africastalking.delivery,
        "optout": africastalking.optout,
        "subscription": africastalking.subscription,
    }
    door = Blueprint("sms", __name__, url_prefix="/sms/africastalking")

    @door.post("/<given>/<kind>")
    def told(given: str, kind: str) -> Response:
        check(given, token)
        if kind not in readers:
            abort(404)
        try:
            letter = readers[kind](request.form)
        except (NotOurWire, HTTPException) as error:
            extra = {"kind": kind, "error": type(error).__name__}
            log.warning("sms.callback_not_understood", **extra)
            return Response(mimetype="text/plain")
        now = clock()
        transact(
            databases,
            lambda session: inbox.receive(
                session,
                provider="africastalking",
                kind=letter.kind,
                key=letter.key,
                form=letter.form,
                now=now,
            ),
        )
        return Response(mimetype="text/plain")

    return door
