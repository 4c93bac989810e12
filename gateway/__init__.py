"""Every HTTP door. Translates; decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from flask import Flask, Response
from sqlalchemy.exc import SQLAlchemyError

from core import db
from core.db import Databases
from core.seal_outside import Outside
from gateway import health, sms, ussd
from gateway import log as sealed
from menus.conversation import Conversation

# A provider waits ten seconds or more for its callback to be taken.
DATABASE_SECONDS_MAX: Final = 6

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Doors:
    """The words that callers of each door must know, as part of its address."""

    africastalking: str

    def __repr__(self) -> str:
        return "Doors(…)"


def create_app(
    *,
    databases: Databases,
    conversation: Conversation,
    clock: Callable[[], datetime],
    doors: Doors,
    redis_answers: Callable[[], bool],
    outside: Outside,
) -> Flask:
    """
    Hang every door.

    Args:
        databases: Where transactions are had.
        conversation: What answers a phone.
        clock: What time it is.
        doors: The secrets in the doors' addresses.
        redis_answers: Whether Redis is there.
        outside: What of the sealed log was said outside the database.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = ussd.BODY_BYTES_MAX
    app.config["MAX_FORM_PARTS"] = ussd.FIELDS_MAX
    # Flask has it that what stands before it replaces its WSGI side.
    app.wsgi_app = ussd.Hops(app.wsgi_app, conversation, token=doors.africastalking)  # type: ignore[method-assign]
    app.before_request(lambda: db.allow(DATABASE_SECONDS_MAX))
    app.register_error_handler(SQLAlchemyError, _not_kept)
    app.register_blueprint(ussd.door(databases, clock, token=doors.africastalking))
    letters = sms.door(
        databases,
        clock,
        token=doors.africastalking,
        veil=conversation.veil,
        otp_key=conversation.otp_key,
    )
    app.register_blueprint(letters)
    app.register_blueprint(health.door(databases, clock, redis_answers, outside))
    app.register_blueprint(sealed.door(databases, outside))
    return app


def _not_kept(error: SQLAlchemyError) -> tuple[Response, int]:
    """Nothing was kept because the database did not answer: whoever told us must tell us again."""
    log.warning("door.database_failed", error=type(error).__name__)
    return Response("Not now. Please repeat this.", mimetype="text/plain"), 503
