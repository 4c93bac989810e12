"""What is said beside the screens fits: what failed, what became of the last call, help."""

from __future__ import annotations

import mpesa_screens
import pytest
from test_words import FACTS, MUCH, NAME, REFERENCE, hop, plain, worst

from core import errors
from core.lately import Ordered
from core.money import Currency, Money
from core.orders import Kind, Placed, State
from core.outbox import Event
from core.rails import Provider
from gateway.ussd import _NOT_UNDERSTOOD
from menus import engine, mpesa_notices, notices, redial
from menus.conversation import _BUSY, _DIAL_AGAIN, _RENAMED, _to_all
from menus.engine import Dialogue
from menus.faces import UNCERTAIN, UNEXPECTED
from menus.gsm7 import SCREEN_SEPTETS_MAX, SMS_SEPTETS_MAX, USSD_SEPTETS_MAX, septets
from menus.languages import spoken
from menus.screen import Done, Screen
from menus.screens import SCREENS, home, register, resume
from menus.screens.ordering import OutcomeTell, PromptedTell


def test_what_is_said_in_no_language_fits():
    for words in (_BUSY, _DIAL_AGAIN, _to_all(UNEXPECTED), _to_all(UNCERTAIN)):
        assert septets(words) <= SCREEN_SEPTETS_MAX
    assert septets(_NOT_UNDERSTOOD.body) <= USSD_SEPTETS_MAX
    assert "\n" in _to_all(UNEXPECTED)


def ordered(kind: str, state: State, outcome: dict) -> Ordered:
    placed = Placed(1, REFERENCE, state, outcome)
    return Ordered(placed, kind, MUCH, Money(99_99999999, Currency.BTC), NAME)


@pytest.mark.parametrize("language", spoken())
def test_what_became_of_an_order_leaves_room_for_home(language):
    """With the way home, if that takes a second page; every one of its options is there."""
    outcomes = [(state, {}) for state in (State.PLACED, State.DONE)]
    outcomes += [
        (State.REFUSED, {"code": error.code, "params": plain(worst(error))})
        for error in errors.leaves()
        if error.code != "pin-locked"
    ]
    notices = [
        redial.became(hop(language), ordered(kind, *each))
        for kind in (*Kind, "deposit")
        for each in outcomes
    ]
    notices += [redial.became(hop(language), moved) for moved in mpesa_screens.MOVEMENTS]
    for notice in (*notices, redial._IN_DOUBT, _RENAMED):
        dialogue, shown = Dialogue((home.Home(),), notice=notice), ""
        while dialogue is not None:
            reply = engine.show(dialogue, hop(language))
            assert septets(reply.text) <= SCREEN_SEPTETS_MAX
            shown += reply.text
            more = reply.following
            dialogue = None if more is None else Dialogue((home.Home(),), line=more)
        assert all(f"{number}. " in shown for number in range(1, 6))


# No session orders these.
BY_PROGRAMS_ALONE = {Kind.HOLD, Kind.CAPTURE, Kind.RELEASE, Kind.REFUND}


def test_every_kind_of_order_by_phone_has_words_of_its_own():
    assert set(redial._DONE) == set(redial._REFUSED) == set(Kind) - BY_PROGRAMS_ALONE


def test_help_at_the_third_answer_fits():
    for words in (engine._HELP, engine._BEGIN_AGAIN):
        for language in spoken():
            assert septets(words.render(language)) <= SCREEN_SEPTETS_MAX


def _is_gone(screen: type) -> bool:
    """Whether it is of the moment, and not looked up anew for a later call."""
    return screen.fetched and screen.again is Screen.again


def test_everything_that_can_be_gone_on_with_has_a_name():
    """Whoever adds a module of screens adds a line to `resume.FLOWS`, if they can be resumed."""
    never = (OutcomeTell, PromptedTell, Done, home.Home, register.Welcome, resume.Offer)
    resumable = {
        name.partition(".")[0]
        for name, screen in SCREENS.items()
        if not (screen.guarded or _is_gone(screen) or issubclass(screen, never))
    }
    assert resumable == set(resume.FLOWS)


@pytest.mark.parametrize("event", [Event.DEPOSIT_FAILED, Event.WITHDRAWAL_FAILED])
@pytest.mark.parametrize("code", sorted(mpesa_screens.CODES))
def test_why_m_pesa_did_not_pay_fits_one_sms(event, code):
    for language in spoken():
        said = notices.words(event, FACTS | {"code": code}, language)
        assert septets(said) <= SMS_SEPTETS_MAX, said


# The others are of M-Pesa alone: of its prompts at a till, and of settlements to it.
ANYBODYS = [event for event in mpesa_notices.NOTICES if event.value.startswith(("dep", "with"))]


@pytest.mark.parametrize("provider", list(Provider))
@pytest.mark.parametrize("event", [*mpesa_notices.NOTICES])
def test_every_rail_has_words_that_fit_one_sms(event, provider):
    refusal = {"code": "sms-too-late", "params": {}}
    facts = FACTS | {"provider": provider, "refusal": refusal}
    for language in spoken():
        said = notices.words(event, facts, language)
        assert septets(said) <= SMS_SEPTETS_MAX, said
        assert provider is Provider.MPESA or "M-Pesa" not in said or event not in ANYBODYS
