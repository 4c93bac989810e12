"""Everything we say is worded, translated, in GSM-7, and fits."""

from __future__ import annotations

import json
import re
import string
from dataclasses import fields, replace
from datetime import UTC, datetime
from inspect import isabstract

import account_screens
import money_screens
import mpesa_screens
import pytest
from catalogues import amiss

from core import (
    codes,
    cooling,
    errors,
    ledger,
    limits,
    money,
    naming,
    pins,
    transfers,
    vouchers,
)
from core.codes import Veil
from core.db import Unit
from core.errors import DomainError
from core.fees import Tier
from core.money import Currency, Money, kes
from core.orders import Outcome, Placed, State
from core.otp_codes import OtpKey
from core.outbox import Category, Event
from core.pins import Hasher
from core.subscribers import Language, Person
from core.transfers import Quote
from menus import engine, notices
from menus.conversation import _ordered
from menus.engine import Dialogue
from menus.faces import FACES, face
from menus.gsm7 import (
    OPT_OUT_SEPTETS_MAX,
    SCREEN_SEPTETS_MAX,
    SMS_SEPTETS_MAX,
    parts,
    septets,
)
from menus.languages import catalogue, spoken
from menus.notices import NOTICES
from menus.screen import (
    AnswerTooLong,
    Done,
    Hop,
    InvalidChoice,
    Screen,
    Span,
)
from menus.screens import (
    SCREENS,
    account,
    help,
    home,
    more,
    pay,
    register,
    resume,
    send,
    voucher,
)
from menus.screens.ordering import PromptedTell
from menus.text import _

AT = datetime(2026, 12, 31, 20, 59, tzinfo=UTC)
NAME = "W" * 20
MUCH = kes(250_000_00)
BALANCE = kes(99_999_999_99)
QUOTED = Quote(MUCH, kes(9_999_99))
REFERENCE = "TQ7X2M4KWZ"

# Every screen with the largest values it can hold.
EXAMPLES = [
    home.Home(),
    register.Welcome(),
    *(register.Name(language) for language in spoken()),
    *(register.NewPin(language, NAME) for language in spoken()),
    *(register.RepeatPin(language, NAME, Span(1, 5)) for language in spoken()),
    *(register.Terms(language, NAME, Span(1, 5)) for language in spoken()),
    register.Declined(_("No account was opened. Dial *384# if you change your mind.")),
    send.Recipient(),
    send.Amount(1, NAME, "0733***002"),
    send.Confirm(1, NAME, "0733***002", QUOTED),
    send.Outcome(1, 1, NAME, QUOTED),
    more.More(),
    pay.Outcome(1, 1, NAME, MUCH),
    voucher.Code(),
    voucher.Outcome(1, Money(99_99999999, Currency.BTC)),
    *money_screens.EXAMPLES,
    account.Account(),
    account.OldPin(),
    account.NewPin(),
    account.RepeatPin(Span(1, 5)),
    account.ChooseLanguage(),
    *account_screens.EXAMPLES,
    *mpesa_screens.EXAMPLES,
    help.Help(),
    *(help.Topic(subject) for subject in help.Subject),
    help.Fees((Tier(MUCH, 150, MUCH),) * 9),
    Done(_("This session has ended. Dial *384# again.")),
    *(resume.Offer(flow) for flow in (*resume.FLOWS, "unheard-of")),
    *(resume.Offer("register", language) for language in spoken()),
]

# Every error with the largest values it can hold.
WORST = {
    "available": BALANCE,
    "requested": BALANCE,
    "held": MUCH,
    "least": MUCH,
    "most": MUCH,
    "limit": kes(999_999_99),
    "left": kes(999_999_99),
    "count_max": 60,
    "lines_max": 25_000,
    "fee": MUCH,
    "tries_left": 2,
    "until": AT,
    "letters_max": 90,
    "owed": BALANCE,
}
FACTS = {
    "name": NAME,
    "msisdn": "+254733000002",
    "amount": MUCH.minor,
    "fee": 9_999_99,
    "balance": BALANCE.minor,
    "owed": BALANCE.minor,
    "at": AT.isoformat(),
    "until": AT.isoformat(),
    "reference": REFERENCE,
    "tier": "rejected",
    "currency": "KES",
    "given": 99_999_999_99,
    "given_currency": "NGN",
    "got": 99_99999999,
    "got_currency": "BTC",
    "spread": 1_99999999,
    "balance_given": 99_999_999_99,
    "balance_got": 99_99999999,
    "seal": "W" * 16,
    "count": 50_000,
    "code": "000000",  # of M-Pesa's codes, each in a test of its own
    "kind": "transfer",
    "keyword": "SEND",
    "balances": [
        ["KES", 99_999_999_99],
        ["USD", 9_999_999_99],
        ["EUR", 9_999_999_99],
        ["GBP", 9_999_999_99],
        ["NGN", 9_999_999_99],
        ["BTC", 99_99999999],
        ["USDT", 99_99999999],
    ],
    "lines": [{"at": AT.isoformat(), "amount": -MUCH.minor, "name": NAME, "reason": "transfer"}]
    * 2,
    "rates": [
        ["NGN", 99, 99],
        ["USD", 999_99, 999_99],
        ["EUR", 999_99, 999_99],
        ["GBP", 999_99, 999_99],
        ["BTC", 99_999_999_99, 99_999_999_99],
        ["USDT", 999_99, 999_99],
    ],
    "total": BALANCE.minor,
    "left": MUCH.minor,
    "limit": MUCH.minor,
    "wallet_number": "3840000000000",
    "payment": REFERENCE,
    "receipt": "WWWWWWWWWW",
    "device": "W" * 24,
    "issuer": "W" * 20,
    "host": "w" * 40,
    "why": "failing",
    # The most that staff are not warned of: `./run announce` counts what will be appended.
    "said": "W" * (SMS_SEPTETS_MAX - OPT_OUT_SEPTETS_MAX),
}


def worst(error: type[DomainError]) -> DomainError:
    return error(**{name: WORST[name] for name in (field.name for field in fields(error))})


def hop(language: Language) -> Hop:
    person = Person(1, "+254733000002", NAME, language, 1, BALANCE, "3840000000000")
    return Hop(
        unit=Unit(None),  # type: ignore[arg-type] - no screen but one asks for it
        msisdn=person.msisdn,
        now=AT,
        key="ussd:x:1",
        hasher=Hasher("x", cheap=True),
        veil=Veil("x"),
        otp_key=OtpKey("x"),
        person=person,
        heard="4071",
        has_mpesa=True,
    )


def named(example: object) -> str:
    return f"{type(example).__module__.rpartition('.')[2]}.{type(example).__name__}"


@pytest.mark.parametrize("language", spoken())
@pytest.mark.parametrize("screen", EXAMPLES, ids=named)
@pytest.mark.parametrize("noticed", [False, True], ids=["plain", "with a refusal on top"])
def test_every_screen_fits_with_its_largest_values(screen, language, noticed, monkeypatch):
    if noticed and screen.submits:
        pytest.skip("nothing is refused after the end")
    if screen.awaits is not None:
        placed = Placed(1, REFERENCE, State.DONE, {"1": BALANCE.minor, "2": BALANCE.minor})
        monkeypatch.setattr("core.orders.get", lambda session, order: placed)
        monkeypatch.setattr(Unit, "reading", None)
    notice = None
    if noticed:
        notice = max(
            (
                face(worst(error)).words
                for error in (*RAISED.get(type(screen), [InvalidChoice]), AnswerTooLong)
            ),
            key=lambda words: septets(words.render(language)),
        )
    dialogue = Dialogue((home.Home(), home.Home(), screen), notice=notice)
    for line in range(25):
        reply = engine.show(replace(dialogue, line=line), hop(language))
        assert septets(reply.text) <= SCREEN_SEPTETS_MAX


# What can be refused on a screen, and so may stand on top of it; elsewhere it is the choice.
RAISED = {
    **account_screens.RAISED,
    register.Name: [naming.InvalidName],
    register.NewPin: [pins.InvalidPin, pins.WeakPin, pins.PinsDiffer],
    account.NewPin: [pins.InvalidPin, pins.WeakPin, pins.PinsDiffer],
    register.RepeatPin: [pins.InvalidPin],
    account.RepeatPin: [pins.InvalidPin],
    account.OldPin: [pins.InvalidPin, pins.WrongPin],
    send.Amount: [
        money.InvalidAmount,
        ledger.InsufficientFunds,
        limits.AmountTooLarge,
        limits.AmountTooSmall,
        limits.DailyLimitReached,
        limits.TooManyTransfers,
        cooling.AmountCooling,
        cooling.DayCooling,
    ],
    send.Confirm: [pins.InvalidPin, pins.WrongPin],
    pay.Till: [transfers.UnknownTill, transfers.SameAccount],
    pay.Amount: [
        money.InvalidAmount,
        ledger.InsufficientFunds,
        limits.AmountTooLarge,
        limits.AmountTooSmall,
        limits.DailyLimitReached,
        limits.MonthlyLimitReached,
        limits.TooManyTransfers,
        cooling.AmountCooling,
        cooling.DayCooling,
    ],
    pay.Confirm: [pins.InvalidPin, pins.WrongPin],
    voucher.Code: [
        codes.InvalidVoucherCode,
        vouchers.UnknownVoucher,
        vouchers.TooManyCodes,
        vouchers.VoucherUsed,
        vouchers.VoucherExpired,
        vouchers.VoucherCancelled,
    ],
    **money_screens.RAISED,
    **mpesa_screens.RAISED,
}


def test_an_order_that_is_not_done_yet_fits(monkeypatch):
    monkeypatch.setattr(Unit, "reading", None)
    refusals = [
        {"code": error.code, "params": {}} for error in errors.leaves() if not fields(error)
    ]
    for state, outcome in [(State.PLACED, {}), *((State.REFUSED, found) for found in refusals)]:
        placed = Placed(1, REFERENCE, state, outcome)
        monkeypatch.setattr("core.orders.get", lambda session, order, placed=placed: placed)
        for language in spoken():
            for screen in (each for each in EXAMPLES if each.awaits is not None):
                reply = engine.show(Dialogue((home.Home(), screen)), hop(language))
                assert septets(reply.text) <= SCREEN_SEPTETS_MAX
            lost = engine.show(Dialogue((_ordered(placed),)), hop(language))
            assert septets(lost.text) <= SCREEN_SEPTETS_MAX


@pytest.mark.parametrize("screen", EXAMPLES, ids=named)
def test_every_screen_survives_redis(screen):
    if isinstance(screen, Done | PromptedTell):
        pytest.skip("the session has ended with it")
    dialogue = Dialogue((home.Home(), screen), line=3, following=5, left_at=(2,))
    saved = engine.dump(dialogue, following=5)
    again = engine.load(json.loads(json.dumps(saved)), SCREENS)
    assert again == dialogue


def test_every_screen_is_registered_and_has_an_example():
    def concrete(kind):
        for sub in kind.__subclasses__():
            if not isabstract(sub) and sub.__module__.startswith("menus."):
                yield sub
            yield from concrete(sub)

    screens = set(concrete(Screen))
    assert screens == set(SCREENS.values())
    assert screens == {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("error", list(errors.leaves()), ids=lambda error: error.code)
class TestEveryError:
    def test_is_worded_for_a_phone(self, error):
        assert error in FACES

    def test_fits_a_screen_of_its_own_and_an_sms(self, error):
        facts = FACTS | {"refusal": {"code": error.code, "params": plain(worst(error))}}
        for language in spoken():
            said = face(worst(error)).words.render(language)
            assert septets(said) <= SCREEN_SEPTETS_MAX
            if error.code != "pin-locked":  # the ledger knows no PINs
                sms = notices.words(Event.TRANSFER_REFUSED, facts, language)
                assert septets(sms) <= SMS_SEPTETS_MAX

    def test_says_what_it_is(self, error):
        assert error.__doc__
        assert error.__doc__.strip().splitlines()[0].endswith(".")


def plain(error: DomainError) -> dict:
    return Outcome.refused(1, error).facts["params"]


def test_codes_of_errors_are_unique():
    codes = [error.code for error in errors.leaves()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("language", spoken())
def test_every_event_has_words_that_fit_one_sms(event, language):
    assert event in NOTICES
    refusal = {
        "code": "insufficient-funds",
        "params": {
            "available": {"minor": BALANCE.minor, "currency": "KES"},
            "requested": {"minor": BALANCE.minor, "currency": "KES"},
        },
    }
    said = notices.words(event, FACTS | {"refusal": refusal}, language)
    appended = OPT_OUT_SEPTETS_MAX if event.category is Category.PROMOTIONAL else 0
    assert septets(said) + appended <= SMS_SEPTETS_MAX, said
    assert parts(said, more=appended) == 1


@pytest.mark.parametrize(
    ("size", "more", "count"),
    [(160, 0, 1), (161, 0, 2), (306, 0, 2), (307, 0, 3), (136, 24, 1), (137, 24, 2)],
)
def test_parts_are_counted_as_they_are_charged(size, more, count):
    assert parts("a" * size, more=more) == count
    assert parts("{" * (size // 2) + "a" * (size % 2), more=more) == count


def placeholders(text: str) -> set[str]:
    return {name for _before, name, _spec, _conversion in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", spoken()[1:])
class TestEveryCatalogue:
    def test_translates_every_message_and_no_other(self, language):
        assert not amiss(catalogue(language))

    def test_says_what_it_calls_itself_and_where_it_stands(self, language):
        said = catalogue(language)
        assert said.endonym != language.value
        assert said.number == spoken().index(language) + 1

    def test_keeps_the_placeholders(self, language):
        for english, other in catalogue(language).messages.items():
            assert placeholders(english) == placeholders(other), english

    def test_is_in_gsm7(self, language):
        for other in catalogue(language).messages.values():
            septets(re.sub(r"[{}]", "", other))
