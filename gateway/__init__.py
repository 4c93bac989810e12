"""Every HTTP door. Translates; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from apiflask import APIFlask
from werkzeug.middleware.proxy_fix import ProxyFix

from core import db
from core.db import Databases
from core.seal_outside import Outside
from gateway import api as programs
from gateway import callbacks, health, pay, problem_page, rails, sms, ussd
from gateway import log as sealed
from gateway.api import description
from gateway.api.edge import Api
from gateway.callbacks import Callers
from gateway.rails import Signed
from menus.conversation import Conversation

# A provider waits ten seconds or more for its callback to be taken.
DATABASE_SECONDS_MAX: Final = 6


@dataclass(frozen=True, slots=True)
class Doors:
    """By what callers of each door are known: a word in its address, or how they sign."""

    africastalking: str
    rails: Mapping[str, Signed] = field(default_factory=dict)

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
    api: Api,
    safaricom: Callers | None = None,
) -> APIFlask:
    """
    Hang every door.

    Args:
        databases: Where transactions are had.
        conversation: What answers a phone.
        clock: What time it is.
        doors: The secrets in the doors' addresses.
        redis_answers: Whether Redis is there.
        outside: What of the sealed log was said outside the database.
        api: What the routes for programs need.
        safaricom: Who may call back for M-Pesa; None where there is none.
    """
    app = APIFlask(
        __name__,
        title="Kabambe",
        version=description.VERSION,
        spec_path=None,
        docs_path=None,
        json_errors=False,
        static_folder=None,  # type: ignore[arg-type] # which is Flask's word for none
    )
    app.config["MAX_CONTENT_LENGTH"] = ussd.BODY_BYTES_MAX
    app.config["MAX_FORM_PARTS"] = ussd.FIELDS_MAX
    if api.proxies:
        behind = ProxyFix(app.wsgi_app, x_for=api.proxies, x_proto=api.proxies)
        app.wsgi_app = behind  # type: ignore[method-assign]
    # Flask has it that what stands before it replaces its WSGI side.
    app.wsgi_app = ussd.Hops(app.wsgi_app, conversation, token=doors.africastalking)  # type: ignore[method-assign]
    app.before_request(lambda: db.allow(DATABASE_SECONDS_MAX))
    app.register_blueprint(ussd.door(databases, clock, token=doors.africastalking))
    letters = sms.door(
        databases,
        clock,
        token=doors.africastalking,
        veil=conversation.veil,
        otp_key=conversation.otp_key,
    )
    app.register_blueprint(letters)
    app.register_blueprint(rails.door(databases, clock, signed=doors.rails))
    app.register_blueprint(health.door(databases, clock, redis_answers, outside))
    app.register_blueprint(sealed.door(databases, outside))
    app.register_blueprint(pay.door(databases, clock, public_url=api.public_url))
    app.register_blueprint(problem_page.door())
    if safaricom is not None:
        app.register_blueprint(callbacks.door(databases, clock, callers=safaricom))
    programs.hang(app, api)
    return app
