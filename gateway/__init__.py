"""Every HTTP door. Translates; decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from flask import Flask

from core.db import Databases
from gateway import health, sms, ussd
from menus.conversation import Conversation


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
) -> Flask:
    """
    Hang every door.

    Args:
        databases: Where transactions are had.
        conversation: What answers a phone.
        clock: What time it is.
        doors: The secrets in the doors' addresses.
        redis_answers: Whether Redis is there.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = ussd.BODY_BYTES_MAX
    app.config["MAX_FORM_PARTS"] = ussd.FIELDS_MAX
    # Flask has it that what stands before it replaces its WSGI side.
    app.wsgi_app = ussd.Hops(app.wsgi_app, conversation, token=doors.africastalking)  # type: ignore[method-assign]
    app.register_blueprint(ussd.door(databases, clock, token=doors.africastalking))
    app.register_blueprint(sms.door(databases, clock, token=doors.africastalking))
    app.register_blueprint(health.door(databases, clock, redis_answers))
    return app
