"""
What we answer to an SMS, and how a one-time code is told. Each fits one GSM-7 part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from core import msisdn, orders
from core.money import Currency, Money
from core.orders import Kind
from core.outbox import Event
from menus import clock
from menus.counterparts import counterpart
from menus.faces import face
from menus.facts import Facts, when
from menus.keywords import Keyword
from menus.text import Text, _

_THOUSAND: Final = 1000_00


def _pin_reset(facts: Facts) -> Text:
    return _(
        "{code} is your Kabambe code for a new PIN. It is good for 5 minutes."
        " Never tell it to anyone. If you did not ask for it, your money is safe: do nothing.",
        code=facts["code"],
    )


def _sign_up(facts: Facts) -> Text:
    return _(
        "{code} is your code to open a Kabambe account. It is good for 5 minutes."
        " Never tell it to anyone.",
        code=facts["code"],
    )


def _log_in(facts: Facts) -> Text:
    return _(
        "{code} is your code to log in to Kabambe. It is good for 5 minutes. Never tell it to"
        " anyone: whoever has it can use your account.",
        code=facts["code"],
    )


def _order(facts: Facts) -> Text:
    said = {"code": facts["code"], "amount": _shillings(facts, "amount"), "name": facts["name"]}
    if facts.get("kind") == Kind.PAYMENT:
        return _(
            "Reply {code} within 5 minutes to pay {amount} to {name}. You pay no fee."
            " Never tell anyone this code.",
            **said,
        )
    return _(
        "Reply {code} within 5 minutes to send {amount} to {name} {number}, fee {fee}."
        " Never tell anyone this code.",
        number=msisdn.masked(facts["msisdn"]),
        fee=_shillings(facts, "fee"),
        **said,
    )


def _order_refused(facts: Facts) -> Text:
    reason = face(orders.error_of(facts["refusal"])).words
    if "amount" not in facts:  # it was a code's answer
        return _("Nothing was sent. {reason}", reason=reason)
    return _("Not sent: {amount}. {reason}", amount=_shillings(facts, "amount"), reason=reason)


def _refused(facts: Facts) -> Text:
    return face(orders.error_of(facts["refusal"])).words


def _balances(facts: Facts) -> Text:
    balances = ", ".join(
        str(Money(minor, Currency[currency])) for currency, minor in facts["balances"]
    )
    return _("{at} You have {balances}.", at=when(facts), balances=balances)


def _mini(facts: Facts) -> Text:
    """The newest movements, one a line, above the balance."""
    if not facts["lines"]:
        return _("Nothing here yet. What you send or receive will be listed here.")
    lines = [
        Text(
            "{day} {other} {amount}",
            {
                "day": clock.day(datetime.fromisoformat(line["at"])),
                "other": counterpart(line["name"], line["reason"]),
                "amount": _signed(Money(line["amount"], Currency.KES)),
            },
        )
        for line in facts["lines"]
    ]
    balance = _("Balance {balance}", balance=_shillings(facts, "balance"))
    gaps = {f"line{at}": line for at, line in enumerate([*lines, balance])}
    return Text("\n".join(f"{{{gap}}}" for gap in gaps), gaps)


def _signed(amount: Money) -> str:
    return amount.figures if amount.minor < 0 else f"+{amount.figures}"


def _rates(facts: Facts) -> Text:
    prices = ", ".join(
        f"{currency} {_short(sells)}/{_short(buys)}" for currency, sells, buys in facts["rates"]
    )
    return _(
        "At {at}, in KES, if you sell/buy 1: {prices}",
        at=clock.hour_and_minute(datetime.fromisoformat(facts["at"])),
        prices=prices,
    )


def _short(minor: int) -> str:
    """So many digits as matter: no cents beside thousands."""
    price = Money(minor, Currency.KES).figures
    return price[:-3] if minor >= _THOUSAND else price


def _help(facts: Facts) -> Text:  # noqa: ARG001 - the same for everybody
    return _(
        "BAL balance, MINI statement, SEND 500 0712345678, PAY 1234567 300 (till, amount), RATE,"
        " LANG SW, STOP, START. Never send your PIN. More: dial *384#"
    )


def _stopped(facts: Facts) -> Text:  # noqa: ARG001
    return _(
        "You will get no more offers from Kabambe. Receipts and codes still come."
        " Send START to get offers again."
    )


def _started(facts: Facts) -> Text:  # noqa: ARG001
    return _("You will get offers from Kabambe again. Send STOP to get none.")


def _language_set(facts: Facts) -> Text:  # noqa: ARG001
    return _("Kabambe now speaks English to you.")


def _pin_sent(facts: Facts) -> Text:  # noqa: ARG001
    return _(
        "Never send your PIN by SMS. We kept none of your SMS's 4 digits and moved no money."
        " If they were your PIN, dial *384# and change it."
    )


_USAGE: Final = {
    Keyword.SEND: _(
        "To send money write SEND, the amount and the phone number: SEND 500 0712345678"
    ),
    Keyword.PAY: _("To pay a shop write PAY, its till of 7 digits and the amount: PAY 1234567 300"),
    Keyword.LANGUAGE: _("Write LANG EN for English, LANG SW for Kiswahili."),
}


def _unclear(facts: Facts) -> Text:
    return _USAGE.get(Keyword(facts["keyword"]), _help(facts))


def _stranger(facts: Facts) -> Text:  # noqa: ARG001
    return _(
        "This is Kabambe. This number has no account yet. Dial *384# to open one."
        " Never send a PIN by SMS."
    )


def _not_understood(facts: Facts) -> Text:  # noqa: ARG001
    return _(
        "This is Kabambe. Dial *384#, or send HELP for what we understand by SMS."
        " Never send us your PIN by SMS."
    )


def _shillings(facts: Facts, name: str) -> Money:
    return Money(facts[name], Currency.KES)


ANSWERS: Final[Mapping[Event, Callable[[Facts], Text]]] = {
    Event.OTP_PIN_RESET: _pin_reset,
    Event.OTP_SMS_ORDER: _order,
    Event.OTP_SIGN_UP: _sign_up,
    Event.OTP_LOG_IN: _log_in,
    Event.SMS_ORDER_REFUSED: _order_refused,
    Event.SMS_REFUSED: _refused,
    Event.SMS_BALANCES: _balances,
    Event.SMS_MINI: _mini,
    Event.SMS_RATES: _rates,
    Event.SMS_HELP: _help,
    Event.SMS_STOPPED: _stopped,
    Event.SMS_STARTED: _started,
    Event.SMS_LANGUAGE_SET: _language_set,
    Event.SMS_PIN_SENT: _pin_sent,
    Event.SMS_UNCLEAR: _unclear,
    Event.SMS_STRANGER: _stranger,
    Event.SMS_NOT_UNDERSTOOD: _not_understood,
}
