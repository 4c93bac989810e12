"""
One hop from end to end: claim the turn, converse, commit, wait a moment for the ledger, answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from core import orders, subscribers
from core.codes import Veil
from core.db import TRIES_MAX, Databases, Unit, allow, is_passing
from core.money import Currency, Money
from core.orders import Placed, State
from core.otp_codes import OtpKey
from core.pins import Hasher
from core.subscribers import Language, Person
from menus import engine
from menus.engine import Dialogue, Reply
from menus.faces import UNCERTAIN, UNEXPECTED, face
from menus.screen import AnyScreen, Done, Hop, Span
from menus.screens import SCREENS, first
from menus.sessions import Dial, Opened, Sessions, Turn
from menus.text import _

log = structlog.get_logger(__name__)

PENDING_SECONDS_MAX: Final = 6.0
# The aggregator hangs up after ten seconds; so many are the database's, all tries together.
DATABASE_SECONDS_MAX: Final = 6.0
_PENDING_POLL_SECONDS: Final = 0.02

# Said where nobody can know the language.
_DIAL_AGAIN: Final = "This session was interrupted. Please dial again.\nTafadhali piga tena."
_BUSY: Final = "Sorry, please try again shortly.\nSamahani, jaribu tena baadaye kidogo."


@dataclass(frozen=True, slots=True)
class Conversation:
    """
    Everything a hop needs, brought together once.

    Args:
        databases: Where transactions are had.
        sessions: Where sessions are kept between hops.
        clock: What time it is.
        hasher: How PINs are hashed.
        veil: How vouchers' codes are.
        otp_key: What one-time codes are derived under.
        ring: Tells the ledger that there is work; may fail, the relay rings again.
        wait: Waits a moment for an order's outcome, or not at all when there is no point.
    """

    databases: Databases
    sessions: Sessions
    clock: Callable[[], datetime]
    hasher: Hasher
    veil: Veil
    otp_key: OtpKey
    ring: Callable[[], None]
    wait: Callable[[int], None]

    def hear(self, dial: Dial) -> str:
        """Answer a hop with `CON …` or `END …`, whatever happens."""
        try:
            return self._hear(dial)
        except RedisError as error:
            log.warning("ussd.sessions_unavailable", error=type(error).__name__)
            return _ending(_BUSY)
        except Exception as error:
            log.exception("ussd.failed", error=type(error).__name__)
            return _ending(_BUSY)

    def _hear(self, dial: Dial) -> str:
        patience = time.monotonic() + PENDING_SECONDS_MAX
        while (opened := self.sessions.open(dial)).turn is Turn.PENDING:
            if time.monotonic() > patience:
                return _ending(_BUSY)
            time.sleep(_PENDING_POLL_SECONDS)
        match opened.turn:
            case Turn.REPLAY | Turn.STALE:
                return opened.reply
            case Turn.GAP | Turn.FOREIGN:
                return _ending(_DIAL_AGAIN)
        reply, state = self._answer(dial, opened)
        body = f"{'END' if reply.ends else 'CON'} {reply.text}"
        try:
            return self.sessions.commit(dial, opened, reply=body, state=state)
        except RedisError as error:
            # What was done is done and the caller may know it; the next hop begins anew.
            log.warning("ussd.session_lost", error=type(error).__name__)
            return body

    def _answer(self, dial: Dial, opened: Opened) -> tuple[Reply, dict[str, Any]]:
        """Converse in one transaction; do it again when another transaction won."""
        allow(DATABASE_SECONDS_MAX)
        words = UNEXPECTED
        for attempt in range(1, TRIES_MAX + 1):
            unit = Unit(self.databases)
            try:
                return self._turn(dial, opened, unit)
            except NoConnection:
                log.warning("ussd.database_busy")
            except DBAPIError as error:
                if unit.is_in_doubt:
                    words = UNCERTAIN
                if attempt < TRIES_MAX and is_passing(error):
                    continue
                log.exception("ussd.database_failed", code=error.code)
            except Exception:
                log.exception("ussd.hop_failed")
            finally:
                unit.close()
            break
        kept = (opened.state or {}).get("person") or {}
        language = Language(kept.get("language", Language.ENGLISH))
        return Reply(words.render(language), ends=True), {}

    def _turn(self, dial: Dial, opened: Opened, unit: Unit) -> tuple[Reply, dict[str, Any]]:
        if opened.turn is Turn.NEW:
            person = subscribers.find(unit.reading, msisdn=dial.msisdn)
            kept = None if person is None else asdict(person)
        else:
            kept = (opened.state or {}).get("person")
            person = _person(kept)
        hop = self._hop(dial, opened, unit, person)
        dialogue = self._advance(dial, opened, hop)
        unit.commit()
        if dialogue.top.awaits is not None and not dialogue.hangs_up:
            self._ring()
            self.wait(dialogue.top.awaits)
        reply = engine.show(dialogue, hop)
        if reply.ends:
            return reply, {}
        saved = engine.dump(dialogue, following=reply.following)
        return reply, {"person": kept, "dialogue": saved}

    def _advance(self, dial: Dial, opened: Opened, hop: Hop) -> Dialogue:
        if opened.turn is Turn.NEW:
            beginning = Dialogue((first(hop.person),))
            if not dial.text:
                return beginning
            # Dialled ahead, or a session that Redis forgot: then it may have ordered something.
            prefix = f"ussd:{dial.session_id}:"
            if hop.person is not None:
                forgotten = orders.newest_under(
                    hop.unit.reading, subscriber=hop.person.id, prefix=prefix
                )
                if forgotten is not None:
                    return Dialogue((_ordered(forgotten),))
            return engine.walk(beginning, hop, dial.text.split("*"))
        state = opened.state or {}
        if not state:  # the session has ended; its caller's handset has not noticed
            return Dialogue((Done(_("This session has ended. Dial *384# again.")),))
        try:
            dialogue = engine.load(state["dialogue"], SCREENS)
        except (KeyError, ValueError):  # a deploy has renamed the screen under the caller
            log.warning("ussd.screen_unknown")
            return Dialogue((first(hop.person),))
        return engine.answer(dialogue, hop, hop.said(hop.span))

    def _hop(self, dial: Dial, opened: Opened, unit: Unit, person: Person | None) -> Hop:
        start = opened.heard + 1 if opened.heard else 0
        return Hop(
            unit=unit,
            msisdn=dial.msisdn,
            now=self.clock(),
            key=f"ussd:{dial.session_id}:{len(dial.text)}",
            hasher=self.hasher,
            veil=self.veil,
            otp_key=self.otp_key,
            person=person,
            heard=dial.text,
            span=Span(start, len(dial.text)),
        )

    def _ring(self) -> None:
        try:
            self.ring()
        except RedisError as error:
            log.warning("ledger.bell_silent", error=type(error).__name__)


def _ordered(placed: Placed) -> AnyScreen:
    """What became of an order whose session was lost before its answer was heard."""
    if placed.refusal is not None:
        return Done(face(placed.refusal).words)
    if placed.state is State.DONE:
        words = _("Your request was done. Ref {reference}", reference=placed.reference)
    else:
        words = _(
            "Your request is received. You will get an SMS.\nRef {reference}",
            reference=placed.reference,
        )
    return Done(words)


def _ending(words: str) -> str:
    return f"END {words}"


def _person(kept: dict[str, Any] | None) -> Person | None:
    """The caller as the session remembers them."""
    if kept is None:
        return None
    balance = Money(kept["balance"]["minor"], Currency[kept["balance"]["currency"]])
    language = Language(kept["language"])
    return Person(**{**kept, "balance": balance, "language": language})
