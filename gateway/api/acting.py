"""
How staff decide: an act is written down under a key, and a worker does it. Here it is waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Final

import structlog
from flask import Response, jsonify, request
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from core import audit, msisdn, staff_acts, subscribers
from core.audit import Action
from core.staff_acts import ActState, Seen, What
from core.subscribers import Person
from gateway import problems
from gateway.api import edge, ordering
from gateway.api.edge import Api
from gateway.api.schemas.admin import ActTold
from gateway.problems import Halted

log = structlog.get_logger(__name__)

PATH: Final = "/api/v1/admin/acts"
WAIT_SECONDS_MAX: Final = 5.0
_LOOK_SECONDS: Final = 0.05
# So many may wait at once; whoever comes then asks again.
_chairs: Final = threading.BoundedSemaphore(4)
_WALLET_DIGITS: Final = 13


def decided(api: Api, what: What, args: Mapping[str, object]) -> Response:
    """
    Write down what a member of staff has decided, wait for it to be done, and answer with it.

    Raises:
        KeyReused: The key was used before by another request.
        DomainError: Whatever refused it, now or before.
    """
    caller = edge.principal()
    assert caller.log_in is not None, "staff are logged in"
    asked = ordering.key_of(f"staff:{caller.staff}")
    act = staff_acts.place(
        edge.staff(),
        key=asked,
        hashed=asked.request,
        log_in=caller.log_in,
        request=edge.staff_actor().request,
        what=what,
        args=args,
        now=edge.now(),
    )
    edge.commit()
    found = _await(api, act)
    if found.refusal is not None:
        raise found.refusal
    answer = jsonify(told(found).model_dump(mode="json"))
    answer.status_code = 202 if found.state is ActState.PLACED else 201
    answer.headers["Location"] = f"{PATH}/{act}"
    return answer


def look(act: int) -> Seen:
    """
    An act of the caller's, as it stands.

    Raises:
        Halted: They have none of that number.
    """
    caller = edge.principal()
    assert caller.staff is not None, "staff are somebody"
    found = staff_acts.seen(edge.staff(), act=act, staff=caller.staff)
    if found is None:
        raise Halted(problems.NOT_HERE)
    return found


def told(found: Seen) -> ActTold:
    """An act for who asked for it."""
    if found.refusal is not None:
        raise found.refusal
    outcome = found.outcome
    return ActTold(
        act=found.id,
        what=found.what,
        state=found.state,
        made=outcome.get("id"),
        report=outcome.get("report"),
    )


def looked_at(session: Session, subject: str) -> None:
    """Keep that somebody of the staff has looked at what is somebody's own."""
    audit.record(
        session,
        actor=edge.staff_actor(),
        action=Action.LOOKED_AT,
        subject=subject,
        detail={"at": request.path},
        now=edge.now(),
    )


def whom(session: Session, number: str) -> Person:
    """
    Whom a phone number or a wallet number belongs to.

    Raises:
        InvalidMsisdn, InvalidWalletNumber: It is neither.
        UnknownRecipient: Nobody has it.
    """
    digits = "".join(number.split())
    if digits.isdecimal() and len(digits) == _WALLET_DIGITS:
        return subscribers.by_wallet_number(session, number=digits)
    return subscribers.recipient(session, msisdn=msisdn.parse(number))


def _await(api: Api, act: int) -> Seen:
    """Tell the worker, and look until it has done it, with no transaction open meanwhile."""
    found = look(act)
    edge.commit()
    if found.state is not ActState.PLACED:
        return found
    try:
        api.ring_staff()
    except RedisError as error:
        log.warning("staff.bell_silent", error=type(error).__name__)
    if not _chairs.acquire(blocking=False):
        return found
    try:
        until = time.monotonic() + WAIT_SECONDS_MAX
        while (found := look(act)).state is ActState.PLACED and time.monotonic() < until:
            edge.commit()
            time.sleep(_LOOK_SECONDS)
        edge.commit()
    finally:
        _chairs.release()
    return found
