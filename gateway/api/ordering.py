"""
How money is moved by programs: with a key, confirmed by its owner, ordered as phones order it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

import orjson
import structlog
from flask import Response, jsonify, request
from redis.exceptions import RedisError

from core import deposits, orders, seal_log, statements
from core.access.principals import Kind
from core.orders import Asked, KeyReused, Order, Placed, State, UnknownOrder
from core.subscribers import Person
from gateway import problems
from gateway.api import edge
from gateway.api.auth import confirm_pin
from gateway.api.edge import Api
from gateway.api.schemas.orders import Line, Ordered, PinGiven, Receipt, Refusal
from gateway.problems import Halted

log = structlog.get_logger(__name__)

PATH: Final = "/api/v1/orders"
WAIT_SECONDS_MAX: Final = 2.0
# They say who asks, not what for.
_CONFIRMATIONS: Final = frozenset({"pin", "totp"})

V = TypeVar("V", bound=Callable[..., Any])


def keyed(view: V) -> V:
    """Say that a route needs an `Idempotency-Key`. The view asks for it by `key`."""
    view.keyed = True  # type: ignore[attr-defined]
    return view


def waits(view: V) -> V:
    """Say that what a route answers may not be done yet: 202, and where to ask."""
    view.waits = True  # type: ignore[attr-defined]
    return view


def key(person: Person) -> Asked:
    """
    The key of what this request asks for, and the hash of all of it but who confirms it.

    The edge lets nobody in without one where a route is `keyed`.
    """
    return key_of(f"api:{person.id}")


def key_of(whose: str) -> Asked:
    """As `key`, for whoever it is that calls."""
    given = request.headers["Idempotency-Key"]
    sent = request.get_json(silent=True) or {}
    body = {name: value for name, value in sent.items() if name not in _CONFIRMATIONS}
    said = orjson.dumps([request.method, request.path, body], option=orjson.OPT_SORT_KEYS)
    return Asked(f"{whose}:{given}", request=hashlib.sha256(said).digest())


def confirm(api: Api, person: Person, given: PinGiven) -> None:
    """
    Let a person confirm with their PIN what moves their money. A program's key is its confirmation.

    Raises:
        Halted: There is none.
        InvalidPin, WrongPin, PinLocked, LogInLocked: As `confirm_pin`; a wrong try is kept.
    """
    if edge.principal().kind is Kind.SERVICE:
        return
    if given.pin is None:
        raise Halted(
            problems.INVALID_REQUEST,
            errors=[{"in": "json", "field": "pin", "fault": "A person confirms with their PIN"}],
        )
    confirm_pin(api, person, given.pin)


def ordered(
    api: Api,
    person: Person,
    order: Callable[[Asked], Placed],
    *,
    show: Callable[[], object] = lambda: None,
) -> Response:
    """
    Order something unless that was done, wait a moment for its outcome, and answer with it.

    Args:
        api: Ours.
        person: Whose order it is.
        order: Looks at what is wanted, and places the order under the key.
        show: Has whoever asks show what is good once. Who repeats a request has shown it.

    Raises:
        KeyReused: The key was used before by another request.
        DomainError: Whatever refused it, now or before; what was shown stays shown.
    """
    asked = key(person)
    with edge.recorded() as session:
        orders.hold_key(session, key=asked)
        placed = orders.asked(session, key=asked)
        if placed is None:
            if deposits.of_key(session, key=asked) is not None:
                raise KeyReused
            show()
            with session.begin_nested():  # what is refused halfway is not there
                placed = order(asked)
    edge.commit()
    if placed.state is State.PLACED:
        _await(api, placed.id)
        placed = orders.get(edge.reading(), order=placed.id)
    if placed.refusal is not None:
        raise placed.refusal
    answer = jsonify(_dumped(told(person, reference=placed.reference)))
    answer.status_code = 202 if placed.state is State.PLACED else 201
    answer.headers["Location"] = f"{PATH}/{placed.reference}"
    return answer


def told(person: Person, *, reference: str) -> Ordered:
    """
    An order as its owner sees it.

    Raises:
        UnknownOrder: They have none with that reference.
    """
    order: Order = orders.of_reference(edge.reading(), subscriber=person.id, reference=reference)
    lines = statements.of_reference(edge.reading(), subscriber=person.id, reference=reference)
    error = orders.error_of(order.outcome or {}) if order.state == State.REFUSED else None
    return Ordered(
        reference=order.reference,
        kind=order.kind,
        state=State(order.state),
        placed_at=order.placed_at,
        executed_at=order.executed_at,
        refusal=None
        if error is None
        else Refusal(code=error.code, title=problems.title_of(type(error))),
        lines=[Line.of(line) for line in lines],
    )


def receipt(person: Person, *, reference: str) -> Receipt:
    """
    What the book has under a reference of somebody's, and the seal on it.

    Raises:
        UnknownOrder: The book has nothing of theirs under it.
    """
    session = edge.reading()
    lines = statements.of_reference(session, subscriber=person.id, reference=reference)
    if not lines:
        raise UnknownOrder
    sealed = seal_log.seal_of(session, reference=reference)
    return Receipt(reference=reference, seal=sealed, lines=[Line.of(line) for line in lines])


def _dumped(told: Ordered) -> dict[str, Any]:
    return told.model_dump(mode="json")


def _await(api: Api, order: int) -> None:
    """Tell the ledger of an order, and wait a moment for its outcome."""
    try:
        api.conversation.ring()
    except RedisError as error:
        log.warning("ledger.bell_silent", error=type(error).__name__)
    else:
        api.conversation.wait(order, WAIT_SECONDS_MAX)
