"""
What became of a webhook call: delivered, to be tried again, or given up; and what its endpoint is
worth from now on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from core import audit, outbox, webhooks
from core.audit import Action, Actor
from core.outbox import Event, Fact
from core.subscribers import Subscriber
from core.webhook_calls import Call
from core.webhook_deliveries import Attempt, Delivery, DeliveryState
from core.webhooks import Endpoint

ANSWER_LENGTH_MAX: Final = 500
TRIED_FOR_MAX: Final = timedelta(days=3)
# After the first attempt, after the second, and so on; the last one is what is left of three days.
BACKOFF: Final = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
    timedelta(hours=12),
)
_REST_FIRST: Final = timedelta(seconds=5)
_REST_MAX: Final = timedelta(minutes=1)
_DOUBLED_MAX: Final = 8
# Nobody is waited for longer, whatever they say.
_RETRY_AFTER_MAX: Final = timedelta(hours=12)

_GONE: Final = 410
_OK: Final = range(200, 300)
_BUSY: Final = frozenset({429, 503})
# What an SMS has room for.
_HOST_LENGTH_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a call; `why` where there was no answer, `retry_after` as they asked."""

    duration_ms: int
    status: int | None = None
    why: str | None = None
    answer: str | None = None
    retry_after: timedelta | None = None

    @property
    def is_taken(self) -> bool:
        """Whether they said that they have it."""
        return self.status in _OK


def record(session: Session, *, call: Call, heard: Heard, now: datetime) -> None:
    """Write down what became of a call; a failure is tried again later, for three days."""
    session.execute(
        update(Attempt)
        .where(Attempt.delivery_id == call.delivery, Attempt.number == call.number)
        .values(
            duration_ms=heard.duration_ms,
            status=heard.status,
            why=heard.why,
            answer=heard.answer,
        )
    )
    if heard.is_taken:
        _end(session, call, DeliveryState.DELIVERED, now=now)
        session.execute(
            update(Endpoint)
            .where(Endpoint.id == call.endpoint, Endpoint.failing_since.is_not(None))
            .values(failing_since=None, failures=0, rests_until=None)
        )
        return
    if _rest(session, call, heard, now=now):
        _again(session, call, heard, now=now)
    else:
        _end(session, call, DeliveryState.MISSED, now=now)


def pause_after(delivery: int, tries: int) -> timedelta:
    """
    How long to wait after so many attempts.

    Up to a tenth longer, each delivery by another part of it: what failed together does not come
    back together.
    """
    pause = BACKOFF[min(tries, len(BACKOFF)) - 1]
    return pause * (1 + (delivery * 37 % 100) / 1000)


def _again(session: Session, call: Call, heard: Heard, *, now: datetime) -> None:
    """Put a delivery back for later, or give it up."""
    ours = select(Delivery.tried_from, Delivery.tries_before).where(_is_ours(call))
    row = session.execute(ours).one_or_none()
    if row is None:
        return  # our time was over, and another has it
    last_at = row.tried_from + TRIED_FOR_MAX
    if call.started_at >= last_at:
        _end(session, call, DeliveryState.FAILED, now=now)
        return
    pause = pause_after(call.delivery, call.number - row.tries_before)
    due_at = min(now + max(pause, _asked(heard)), last_at)
    session.execute(
        update(Delivery)
        .where(_is_ours(call))
        .values(state=DeliveryState.WAITING.value, due_at=due_at)
    )


def _rest(session: Session, call: Call, heard: Heard, *, now: datetime) -> bool:
    """Leave an endpoint alone for a moment, or for good if it is gone: whether it is still on."""
    endpoint = session.execute(
        select(Endpoint.failing_since, Endpoint.failures, Endpoint.state)
        .where(Endpoint.id == call.endpoint)
        .with_for_update(key_share=True)
    ).one()
    since = endpoint.failing_since or call.started_at
    rest = min(_REST_FIRST * 2 ** min(endpoint.failures, _DOUBLED_MAX), _REST_MAX)
    session.execute(
        update(Endpoint)
        .where(Endpoint.id == call.endpoint)
        .values(
            failing_since=since,
            failures=endpoint.failures + 1,
            rests_until=now + max(rest, _asked(heard)),
        )
    )
    if endpoint.state != webhooks.EndpointState.ACTIVE:
        return False
    if heard.status == _GONE:
        _disable(session, call, why="gone", now=now)
        return False
    if call.started_at - since >= TRIED_FOR_MAX:
        _disable(session, call, why="failing", now=now)
        return False
    return True


def _disable(session: Session, call: Call, *, why: str, now: datetime) -> None:
    """Call an endpoint no more, and tell its owner; what waited for it can be replayed."""
    code = session.scalars(
        update(Endpoint)
        .where(Endpoint.id == call.endpoint)
        .values(state=webhooks.EndpointState.DISABLED.value, disabled_at=now, disabled_why=why)
        .returning(Endpoint.code)
    ).one()
    session.execute(
        update(Delivery)
        .where(Delivery.endpoint_id == call.endpoint, Delivery.state == DeliveryState.WAITING.value)
        .values(state=DeliveryState.MISSED.value, ended_at=now)
    )
    audit.record(
        session,
        actor=Actor("system", "webhooks", call.code),
        action=Action.WEBHOOK_DISABLED,
        subject=f"webhook:{code}",
        detail={"why": why},
        now=now,
    )
    owner = session.execute(
        select(Subscriber.msisdn, Subscriber.language).where(Subscriber.id == call.owner)
    ).one()
    facts = {"host": (urlsplit(call.url).hostname or "")[:_HOST_LENGTH_MAX], "why": why}
    told = Fact(Event.WEBHOOK_DISABLED, owner.msisdn, owner.language, facts)
    outbox.stage(session, facts=[told], now=now)


def _end(session: Session, call: Call, state: DeliveryState, *, now: datetime) -> None:
    session.execute(update(Delivery).where(_is_ours(call)).values(state=state.value, ended_at=now))


def _is_ours(call: Call) -> ColumnElement[bool]:
    return and_(
        Delivery.id == call.delivery,
        Delivery.state == DeliveryState.SENDING.value,
        Delivery.tries == call.number,
    )


def _asked(heard: Heard) -> timedelta:
    """How long they asked us to wait."""
    if heard.retry_after is None or heard.status not in _BUSY:
        return timedelta(0)
    return min(heard.retry_after, _RETRY_AFTER_MAX)
