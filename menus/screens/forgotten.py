"""
Forgot PIN: who are you, the code from the SMS, a new PIN twice.

Neither an answer nor a PIN is kept between hops: only where it stands in the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core import msisdn, otp, recovery
from core.otp import Purpose
from core.recovery import Answers, Question
from menus import clock
from menus.screen import AnyScreen, Ask, Done, Hop, Screen, Span, View
from menus.screens.choosing import NewPinAsk, RepeatPinAsk
from menus.text import Text, _

ANOTHER = "1"


def begin(hop: Hop) -> AnyScreen:
    """Ask who they are; or, when they have said so before the line dropped, for the code."""
    question = recovery.begin(hop.unit.reading, person=hop.caller, now=hop.now)
    return Code() if question is None else Name(question)


@dataclass(frozen=True)
class Name(Ask[Span]):
    """The first question, and the only one for who has no history with us."""

    question: Question
    guarded: ClassVar[bool] = True

    def prompt(self, hop: Hop) -> Text:
        if self.question is Question.PAPERS:
            return _("Forgot PIN. First tell us who you are.\nYour full name, as on your ID:")
        return _("Forgot PIN. First tell us who you are.\nThe name on this account:")

    def read(self, hop: Hop, text: str) -> Span:
        if self.question is Question.NOTHING:
            _judge(hop, self.question, Answers(text))
        return hop.span

    def then(self, hop: Hop, answer: Span) -> AnyScreen:
        if self.question is Question.NOTHING:
            return _sent(hop)
        return Proof(self.question, answer)


@dataclass(frozen=True)
class Proof(Ask[None]):
    """What the phone alone does not know. Both answers are judged here, and together."""

    question: Question
    name: Span
    guarded: ClassVar[bool] = True

    def prompt(self, hop: Hop) -> Text:
        if self.question is Question.PAPERS:
            return _("The last 3 digits or letters of the number on your ID:")
        return _("The phone number of a person you have sent money to in the last 90 days:")

    def read(self, hop: Hop, text: str) -> None:
        proof = text if self.question is Question.PAPERS else msisdn.parse(text)
        _judge(hop, self.question, Answers(hop.said(self.name), proof))

    def refusal_leads(self) -> AnyScreen:
        return Name(self.question)

    def then(self, hop: Hop, answer: None) -> AnyScreen:
        return _sent(hop)


@dataclass(frozen=True)
class Code(Screen[bool]):
    """The code from the SMS; another is sent to who asks for it, and not else."""

    guarded: ClassVar[bool] = True

    def show(self, hop: Hop) -> View:
        return View(_("Enter the 6 digits from our SMS:"), [_("Send me another code")])

    def read(self, hop: Hop, text: str) -> bool:
        if text.strip() == ANOTHER:
            return False
        recovery.require_passed(hop.db, person=hop.caller, now=hop.now)
        otp.check(
            hop.db,
            msisdn=hop.caller.msisdn,
            purpose=Purpose.PIN_RESET,
            typed=text,
            key=hop.otp_key,
            actor=hop.actor,
            now=hop.now,
        )
        recovery.prove(hop.db, person=hop.caller, now=hop.now)
        return True

    def then(self, hop: Hop, answer: bool) -> AnyScreen:  # noqa: FBT001 - what `read` made of it
        return NewPin() if answer else _sent(hop)


@dataclass(frozen=True)
class NewPin(NewPinAsk):
    """The new PIN."""

    def then(self, hop: Hop, answer: Span) -> RepeatPin:
        return RepeatPin(answer)


@dataclass(frozen=True)
class RepeatPin(RepeatPinAsk):
    """The new PIN again."""

    def refusal_leads(self) -> NewPin:
        return NewPin()

    def then(self, hop: Hop, answer: str) -> Done:
        cooled = recovery.complete(
            hop.db,
            person=hop.caller,
            pin=answer,
            hasher=hop.hasher,
            actor=hop.actor,
            now=hop.now,
        )
        return Done(
            _(
                "Your new PIN is set. Until {until} you can send at most {most} at once"
                " and {limit} a day.",
                until=clock.day_and_minute_after(cooled.until),
                most=cooled.order_max,
                limit=cooled.day_max,
            )
        )


def _judge(hop: Hop, question: Question, answers: Answers) -> None:
    recovery.answer(
        hop.db,
        person=hop.caller,
        question=question,
        answers=answers,
        actor=hop.actor,
        now=hop.now,
    )


def _sent(hop: Hop) -> Code:
    """Send a code to who has answered; nobody else is sent one."""
    recovery.require_passed(hop.db, person=hop.caller, now=hop.now)
    otp.issue(
        hop.db,
        msisdn=hop.caller.msisdn,
        purpose=Purpose.PIN_RESET,
        language=hop.caller.language,
        key=hop.otp_key,
        address=None,
        now=hop.now,
    )
    return Code()
