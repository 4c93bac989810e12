"""
Where a request of a program's begins and ends: one id, one look at who calls, one transaction.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from time import perf_counter
from typing import Any, Final

import structlog
from flask import Flask, Response, g, request
from flask_limiter import Limiter
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from core import subscribers
from core.access.principals import Kind, Principal
from core.access.tokens import Keyring
from core.at_rest import Chest
from core.audit import Actor
from core.db import TRIES_MAX, Unit, become_staff, is_passing
from core.errors import DomainError
from core.money import Currency
from core.rails import Provider
from core.seal_outside import Outside
from core.subscribers import Person
from gateway import problems
from gateway.api import bodies
from gateway.api.access import CHALLENGE, need_of
from gateway.problems import Halted
from menus.conversation import Conversation

log = structlog.get_logger(__name__)

PREFIX: Final = "/api/"
KEY: Final = re.compile(r"[!-~]{8,64}")
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Issuer:
    """
    An issuer of identities, as far as a browser is sent there.

    Args:
        name: Its name, which is its address.
        called: What people call it.
        authorization_url: Where browsers are sent.
        client_id: Who we are there.
        redirect_url: Where it sends browsers back to.
        ring: Tells the worker that asks the issuer that there is work; may fail.
    """

    name: str
    called: str
    authorization_url: str
    client_id: str
    redirect_url: str
    ring: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Api:
    """
    Everything the routes for programs need, brought together once.

    Args:
        conversation: What the phone's side has too: databases, keys, the bell and the wait.
        principal: Finds out who calls by the `Authorization` header, or halts the request.
        keyring: What access tokens are signed with.
        chest: What locks secrets that must be read again.
        limiter: Counts requests.
        outside: What of the sealed log was said outside the database.
        public_url: Where people find us, without a slash at its end.
        webhooks_loopback: Whether webhooks may lead to this very machine.
        ring_staff: Tells the worker that does what staff decide that there is some; may fail.
        issuer: With whom people may sign in besides by phone.
        origins: The web pages that may call from a browser.
        proxies: How many proxies of ours stand before us and say whom a request is from.
        per_minute: How many requests a caller may make of one route.
        rails: By which ways money comes in and goes out, in which currencies.
        second_factor_above: Above how many shillings who takes money out shows a second factor,
            where they have one.
    """

    conversation: Conversation
    principal: Callable[[str, Session, datetime], Principal]
    keyring: Keyring
    chest: Chest
    limiter: Limiter
    outside: Outside
    public_url: str
    webhooks_loopback: bool = False
    ring_staff: Callable[[], None] = lambda: None
    issuer: Issuer | None = None
    origins: frozenset[str] = frozenset()
    proxies: int = 0
    per_minute: int = 30
    rails: Mapping[Provider, frozenset[Currency]] = field(default_factory=dict)
    second_factor_above: int = 20_000


def hang(app: Flask, api: Api) -> None:
    """Receive every request below the prefix, and see it off."""

    def receive() -> None:
        if is_ours():
            _receive(api)

    def see_off(answer: Response) -> Response:
        return _see_off(answer) if is_ours() else answer

    app.before_request(receive)
    app.after_request(see_off)
    app.teardown_request(_forget)


def is_ours() -> bool:
    """Whether a request is a program's."""
    return request.path.startswith(PREFIX)


def _receive(api: Api) -> None:
    g.request_id = uuid.uuid4().hex
    g.begun = perf_counter()
    g.now = api.conversation.clock()
    g.unit = Unit(api.conversation.databases)
    g.principal = g.stranger = g.unfit = None
    g.hide = api.conversation.otp_key.caller
    structlog.contextvars.bind_contextvars(request=g.request_id)
    request.max_content_length = bodies.BYTES_MAX
    try:
        _look()
    except (Halted, HTTPException) as error:
        # Raised when the request has been counted: whoever sends nonsense is counted too.
        g.unfit = error
    if request.endpoint is None:
        if g.unfit is not None:
            raise g.unfit
        return
    header = request.headers.get("Authorization")
    if header is not None:
        try:
            g.principal = api.principal(header, g.unit.reading, g.now)
        except (Halted, DomainError) as error:
            # Raised when the request has been counted, and only where it matters who calls.
            g.stranger = error
        finally:
            g.unit.close()


def _look() -> None:
    """Refuse letters that nobody types, and a body that nobody should read."""
    if _UNSEEN.search(request.path) or any(map(_UNSEEN.search, request.args.values())):
        raise Halted(problems.UNREADABLE)
    if request.endpoint is not None:
        bodies.weigh()


def transacted(view: Callable[..., Any], count: Callable[[], None]) -> Callable[..., Any]:
    """
    Let a route's view be one transaction, done again when another one won.

    Args:
        view: The route's.
        count: Counts a request that is refused before the view has.
    """

    @wraps(view)
    def answered(**given: Any) -> Any:  # noqa: ANN401 - whatever Flask makes an answer of
        try:
            _admit(view)
        except (Halted, HTTPException, DomainError):
            count()
            raise
        for attempt in range(1, TRIES_MAX + 1):
            unit: Unit = g.unit
            try:
                answer = view(**given)
                unit.commit()
            except DBAPIError as error:
                if attempt == TRIES_MAX or not is_passing(error):
                    raise
                log.info("api.repeated", error=type(error).__name__)
            else:
                return answer
            finally:
                unit.close()
        raise AssertionError("unreachable")

    return answered


def _admit(view: Callable[..., Any]) -> None:
    """Let in what can be read, of who has what the route needs, with a key where it takes one."""
    if g.unfit is not None:
        raise g.unfit
    _admit_caller(view)
    if faults := _faults_of_query(view):
        raise Halted(problems.INVALID_REQUEST, errors=faults)
    key = request.headers.get("Idempotency-Key", "")
    is_wanted = hasattr(view, "keyed") or (hasattr(view, "may_be_keyed") and key)
    if is_wanted and not KEY.fullmatch(key):
        raise Halted(problems.KEY_MISSING)


def _faults_of_query(view: Callable[..., Any]) -> list[dict[str, str]]:
    """
    What is wrong with the words after the question mark, besides what they say.

    What a model reads of them takes the last of two without a word, and a route without a model
    would take anything.
    """
    has_model = any(place == "query" for _, place in getattr(view, "_spec", {}).get("args", ()))
    faults = []
    for name, values in request.args.lists():
        if len(values) > 1:
            faults.append({"in": "query", "field": name, "fault": "It is said more than once."})
        elif not has_model:
            faults.append({"in": "query", "field": name, "fault": "Unknown field."})
    return faults


def _admit_caller(view: Callable[..., Any]) -> None:
    permission = need_of(view).permission
    if permission is None:
        return
    principal: Principal | None = g.principal
    if principal is None:
        raise g.stranger or Halted(problems.NOT_KNOWN, headers=CHALLENGE)
    if not principal.may(permission):
        raise Halted(problems.NOT_PERMITTED, needs=permission.value)


@contextmanager
def recorded() -> Iterator[Session]:
    """Keep what is written inside although it is refused: a wrong PIN, a wrong code."""
    unit: Unit = g.unit
    try:
        yield unit.session
    except DomainError:
        unit.commit()
        raise


@contextmanager
def kept() -> Iterator[Session]:
    """
    Keep what was shown before, although what is done inside is refused and leaves nothing.

    A code of a second factor is good once, whatever comes of what it confirmed.
    """
    with recorded() as session, session.begin_nested():
        yield session


def session() -> Session:
    """The session of this request's transaction."""
    unit: Unit = g.unit
    return unit.session


def staff() -> Session:
    """The session of this request's transaction, which sees what staff may see until it ends."""
    assert principal().kind is Kind.STAFF, "nobody else sees that"
    became = session()
    become_staff(became)
    return became


def staff_actor() -> Actor:
    """Who of the staff does what is done here, for the audit log."""
    return Actor(f"staff:{principal().name}", "api", g.request_id)


def reading() -> Session:
    """A session for a look at what stands committed."""
    unit: Unit = g.unit
    return unit.reading


def commit() -> None:
    """Make what was done so far permanent, before it is waited for what others make of it."""
    unit: Unit = g.unit
    unit.commit()


def now() -> datetime:
    """When this request came."""
    came: datetime = g.now
    return came


def principal() -> Principal:
    """Who calls. Only routes that need somebody may ask."""
    caller = g.principal
    assert isinstance(caller, Principal), "a public route has no caller"
    return caller


def person() -> Person:
    """
    The subscriber whose account this request is about.

    Raises:
        AccountClosed: They have left.
    """
    caller = principal()
    assert caller.subscriber is not None, "staff have no account"
    looked = reading() if request.method == "GET" else session()
    return subscribers.by_id(looked, subscriber=caller.subscriber)


def actor(whose: Person) -> Actor:
    """Who does what is done here, for the audit log."""
    origin = "api" if principal().kind is Kind.SERVICE else "app"
    return Actor(whose.msisdn, origin, g.request_id)


def _see_off(answer: Response) -> Response:
    answer.headers["X-Request-Id"] = g.request_id
    caller = g.principal
    log.info(
        "api.answered",
        method=request.method,
        route=request.url_rule.rule if request.url_rule else "",
        status=answer.status_code,
        ms=round((perf_counter() - g.begun) * 1000, 1),
        caller=caller.kind.value if caller else "",
    )
    return answer


def _forget(_error: BaseException | None = None) -> None:
    unit = g.pop("unit", None)
    if unit is not None:
        unit.close()
        structlog.contextvars.clear_contextvars()
