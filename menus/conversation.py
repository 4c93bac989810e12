"""
One hop from end to end: take the turn, converse, commit, wait a moment for the ledger, answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from core import lately, subscribers
from core.codes import Veil
from core.db import TRIES_MAX, Databases, Unit, allow, is_passing
from core.deposits.asking import PROMPT_DELAY
from core.lately import Ordered
from core.money import Currency, Money
from core.movements import Movement
from core.orders import Placed, State
from core.otp_codes import OtpKey
from core.pins import Hasher
from core.subscribers import Language, Person
from menus import engine, mpesa_words, redial
from menus.deadline import Deadline
from menus.engine import Dialogue, Reply
from menus.faces import UNCERTAIN, UNEXPECTED, face
from menus.gsm7 import SCREEN_SEPTETS_MAX, septets
from menus.screen import AnyScreen, Done, Hop, Span
from menus.screens import SCREENS, first
from menus.screens.resume import Offer
from menus.sessions import Dial, Keeps, Opened, Overtaken, Said, Sessions, Turn, Unclaimed
from menus.text import Text, _

log = structlog.get_logger(__name__)

# The aggregator hangs up after ten seconds. No wait is begun past this, and the longest that may
# then be under way, for a Redis that hangs, is a second and a half.
HOP_SECONDS_MAX: Final = 7.0
# Of them the database has so many, all tries together; what is left is for saying so.
DATABASE_SECONDS_MAX: Final = 6.0
_COMMIT_SECONDS: Final = 0.5
# A turn that is only had with less than this left could do nothing.
_TURN_SECONDS_MIN: Final = 1.0
_PENDING_POLL_SECONDS: Final = 0.02

# Said where nobody can know the language.
_DIAL_AGAIN: Final = "This session was interrupted. Please dial again.\nTafadhali piga tena."
_BUSY: Final = "Sorry, please try again shortly.\nSamahani, jaribu tena baadaye kidogo."
_KNOWN_BY_ALL: Final = (Language.ENGLISH, Language.KISWAHILI)

_RENAMED: Final = _("Our menu has changed. Please choose again.")
_ENDED: Final = _("This session has ended. Dial *384# again.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a hop comes to: the reply, the screen it shows, and what is kept of it."""

    reply: Reply
    screen: str
    state: dict[str, Any]
    keeps: Keeps

    @property
    def said(self) -> Said:
        return Said(f"{'END' if self.reply.ends else 'CON'} {self.reply.text}", self.screen)


@dataclass(slots=True)
class _Claim:
    """The turn of one hop: claimed when it was opened, or else before anything is done in it."""

    sessions: Sessions
    dial: Dial
    opened: Opened
    deadline: Deadline

    @property
    def is_made(self) -> bool:
        return self.opened.before is None

    def make(self) -> None:
        """
        Claim it, if it is not.

        Raises:
            Overtaken: It is not ours.
            Unclaimed: Redis did not answer.
        """
        if not self.is_made:
            self.opened = self.sessions.claim(self.dial, self.opened, deadline=self.deadline)


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
        wait: Waits for an order's outcome, so many seconds at most; not at all without a point.
        dial_ahead: Whether what is dialled after the service code counts as answers.
        has_mpesa: Whether the house can reach M-Pesa: without it nothing of it is offered.
        prompt_delay: How long after a call ends its prompt goes out.
    """

    databases: Databases
    sessions: Sessions
    clock: Callable[[], datetime]
    hasher: Hasher
    veil: Veil
    otp_key: OtpKey
    ring: Callable[[], None]
    wait: Callable[[int, float], None]
    dial_ahead: bool = True
    has_mpesa: bool = False
    prompt_delay: timedelta = PROMPT_DELAY

    def hear(self, dial: Dial) -> Said:
        """Answer a hop with `CON …` or `END …`, whatever happens, in time."""
        deadline = Deadline.within(HOP_SECONDS_MAX)
        try:
            return self._hear(dial, deadline)
        except RedisError as error:
            cause = error.__cause__ if isinstance(error, Unclaimed) else error
            log.warning("ussd.sessions_unavailable", error=type(cause).__name__)
            return _ending(_BUSY, "session.Busy")
        except Exception as error:
            log.exception("ussd.failed", error=type(error).__name__)
            return _ending(_BUSY, "session.Busy")

    def _hear(self, dial: Dial, deadline: Deadline) -> Said:
        recalled = self.sessions.recall(dial)
        if recalled is not None:
            with suppress(Overtaken):
                return self._answered(_Claim(self.sessions, dial, recalled, deadline))
        token = None if recalled is None else recalled.token  # it may be ours by now
        while (
            opened := self.sessions.open(dial, token=token, deadline=deadline)
        ).turn is Turn.PENDING:
            if deadline.left < _TURN_SECONDS_MIN:
                return _ending(_BUSY, "session.Busy")
            time.sleep(_PENDING_POLL_SECONDS)
        match opened.turn:
            case Turn.REPLAY | Turn.STALE if opened.said is not None:
                return opened.said
            case Turn.GAP | Turn.FOREIGN:
                return _ending(_DIAL_AGAIN, "session.Interrupted")
        return self._answered(_Claim(self.sessions, dial, opened, deadline))

    def _answered(self, claim: _Claim) -> Said:
        """
        Converse, and keep the answer.

        Raises:
            Overtaken: The turn was recalled and is not ours; nothing was done.
            RedisError: It was recalled, and nobody knows whose it is; nothing was done.
        """
        answer = self._answer(claim)
        try:
            return self.sessions.commit(
                claim.dial,
                claim.opened,
                said=answer.said,
                state=answer.state,
                keeps=answer.keeps,
                deadline=claim.deadline,
            )
        except RedisError as error:
            if not claim.is_made:
                raise
            # What was done is done and the caller may know it; the next hop begins anew.
            log.warning("ussd.session_lost", error=type(error).__name__)
            return answer.said

    def _answer(self, claim: _Claim) -> Answer:
        """
        Converse in one transaction; do it again when another transaction won.

        Raises:
            Overtaken: The turn was recalled and is not ours; nothing was done.
            Unclaimed: It was recalled, and could not be claimed; nothing was done.
        """
        allow(min(DATABASE_SECONDS_MAX, claim.deadline.left - _COMMIT_SECONDS))
        is_in_doubt = False
        for attempt in range(1, TRIES_MAX + 1):
            unit = Unit(self.databases, before=claim.make)
            try:
                return self._turn(claim.dial, claim.opened, unit, claim.deadline)
            except (Overtaken, Unclaimed):
                raise
            except NoConnection:
                log.warning("ussd.database_busy")
            except DBAPIError as error:
                if attempt < TRIES_MAX and is_passing(error):
                    continue
                log.exception("ussd.database_failed", code=error.code)
            except Exception:
                log.exception("ussd.hop_failed")
            finally:
                is_in_doubt = is_in_doubt or unit.is_in_doubt
                unit.close()
            break
        return _failed(claim.opened, is_in_doubt=is_in_doubt)

    def _turn(self, dial: Dial, opened: Opened, unit: Unit, deadline: Deadline) -> Answer:
        person, kept = self._person(dial, opened, unit)
        hop = self._hop(dial, opened, unit, person)
        dialogue = self._advance(dial, opened, hop)
        unit.commit()
        awaits = None if dialogue.hangs_up else dialogue.top.awaits
        if awaits is not None:
            # Whoever is not told the outcome must not be told to try again.
            unit.is_in_doubt = True
            self._await(awaits, deadline)
        reply = engine.show(dialogue, hop)
        unit.is_in_doubt = False
        language = person.language if person else getattr(dialogue.top, "language", None)
        state: dict[str, Any] = {"person": kept, "language": language}
        if not reply.ends:
            state["dialogue"] = engine.dump(dialogue, following=reply.following)
        screen, keeps = engine.name(type(dialogue.top)), _keeps(dial, opened, dialogue, reply)
        return Answer(reply, screen, state, keeps)

    def _person(
        self, dial: Dial, opened: Opened, unit: Unit
    ) -> tuple[Person | None, dict[str, Any] | None]:
        """The caller, looked up once a session and remembered by it; and as it remembers them."""
        if opened.turn is not Turn.NEW:
            kept = (opened.state or {}).get("person")
            if kept is None:
                return None, None
            with suppress(KeyError, TypeError, ValueError):  # else a deploy knows callers otherwise
                return _remembered(kept), kept
        person = subscribers.find(unit.reading, msisdn=dial.msisdn)
        return person, None if person is None else asdict(person)

    def _advance(self, dial: Dial, opened: Opened, hop: Hop) -> Dialogue:
        if opened.turn is Turn.NEW:
            # Dialled ahead, or a session that Redis forgot: then it may have ordered something.
            if dial.text and hop.person is not None:
                forgotten = lately.newest(
                    hop.unit.reading, subscriber=hop.person.id, session_id=dial.session_id
                )
                if forgotten is not None:
                    return Dialogue((_asked(forgotten),))
            return redial.beginning(hop, opened.left, text=dial.text if self.dial_ahead else "")
        state = opened.state or {}
        if "dialogue" not in state:  # it has ended; its caller's handset has not noticed
            language = state.get("language")
            return Dialogue((Done(_ENDED, Language(language) if language else None),))
        try:
            dialogue = engine.load(state["dialogue"], SCREENS)
        except (KeyError, TypeError, ValueError):  # a deploy has renamed the screen under them
            log.warning("ussd.screen_unknown")
            return Dialogue((first(hop.person),), notice=_RENAMED)
        return engine.answer(dialogue, hop, hop.said(hop.span))

    def _hop(self, dial: Dial, opened: Opened, unit: Unit, person: Person | None) -> Hop:
        # An empty answer to the first screen is no hop of its own: its `*` comes with the next.
        start = opened.heard + dial.text.startswith("*", opened.heard)
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
            network=dial.network,
            has_mpesa=self.has_mpesa,
            prompt_delay=self.prompt_delay,
        )

    def _await(self, order: int, deadline: Deadline) -> None:
        """Tell the ledger of an order, and wait a moment for its outcome."""
        try:
            self.ring()
        except RedisError as error:
            log.warning("ledger.bell_silent", error=type(error).__name__)
        else:
            self.wait(order, deadline.left - _COMMIT_SECONDS)


def _asked(asked: Ordered | Movement) -> AnyScreen:
    """What became of what was asked for in a session that was lost before its answer was heard."""
    if isinstance(asked, Movement):
        return Done(mpesa_words.told(asked))
    return _ordered(asked.placed)


def _ordered(placed: Placed) -> AnyScreen:
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


def _remembered(kept: dict[str, Any]) -> Person:
    """The caller as the session remembers them."""
    balance = Money(kept["balance"]["minor"], Currency[kept["balance"]["currency"]])
    return Person(**{**kept, "balance": balance, "language": Language(kept["language"])})


def _keeps(dial: Dial, opened: Opened, dialogue: Dialogue, reply: Reply) -> Keeps:
    """What the caller's next session finds."""
    had_ended = opened.turn is Turn.NEXT and "dialogue" not in (opened.state or {})
    is_held = opened.left is not None and opened.left.is_held
    # The answer may be lost on its way: what became of an order is said until they go on. But who
    # dials ahead would never get by what has no room on top of it.
    is_told = opened.left is not None and dialogue.notice is not None and not dial.text
    if had_ended or isinstance(dialogue.top, Offer) or ((is_held or is_told) and not reply.ends):
        return Keeps.LEAVE
    if reply.ends:
        return Keeps.KEEP if dialogue.top.submits and not dialogue.hangs_up else Keeps.DROP
    return Keeps.KEEP if len(dialogue.stack) > 1 else Keeps.DROP


def _failed(opened: Opened, *, is_in_doubt: bool) -> Answer:
    """Say that it went wrong, in the caller's language where that is known."""
    left = None if opened.left is None else opened.left.state
    kept = opened.state or left or {}
    language = kept.get("language")
    words = UNCERTAIN if is_in_doubt else UNEXPECTED
    told = words.render(Language(language)) if language else _to_all(words)
    reply, screen = Reply(told, ends=True), "session.InDoubt" if is_in_doubt else "session.Failed"
    state = {"person": kept.get("person"), "language": language, "is_in_doubt": is_in_doubt}
    return Answer(reply, screen, state, Keeps.KEEP if is_in_doubt else Keeps.LEAVE)


def _to_all(words: Text) -> str:
    """In both languages that everybody knows one of; in English where there is no room for both."""
    said = "\n".join(words.render(language) for language in _KNOWN_BY_ALL)
    has_room = septets(said) <= SCREEN_SEPTETS_MAX
    return said if has_room else words.render(Language.ENGLISH)


def _ending(words: str, screen: str) -> Said:
    return Said(f"END {words}", screen)
