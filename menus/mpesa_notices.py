"""
What is told by SMS of money that came from M-Pesa, or went there, or did not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from core import orders
from core.money import Currency, Money
from core.outbox import Event
from menus.faces import face
from menus.text import Text, _

Facts = Mapping[str, Any]

_SAID: Final[Mapping[Event, Text]] = {
    Event.DEPOSIT_SETTLED: _("{reference} {amount} came from M-Pesa. Balance {balance}."),
    Event.DEPOSIT_FAILED: _("{reference} {amount} did not come from M-Pesa."),
    Event.DEPOSIT_EXPIRED: _(
        "{reference} M-Pesa has not said if {amount} was paid. If it was, it will come to you."
    ),
    Event.DEPOSIT_IN_REVIEW: _(
        "{reference} We are checking your {amount} from M-Pesa. Nothing is lost."
    ),
    Event.TILL_RECEIVED: _("{reference} You were paid {amount} by M-Pesa. Balance {balance}."),
    Event.TILL_FAILED: _("{reference} You were not paid {amount} by M-Pesa."),
    Event.WITHDRAWAL_PAID: _("{reference} {amount} went to your M-Pesa. Balance {balance}."),
    Event.WITHDRAWAL_FAILED: _(
        "{reference} {amount} did not go to your M-Pesa. It is back on your account."
    ),
    Event.WITHDRAWAL_DELAYED: _(
        "{reference} M-Pesa is slow: your {amount} is set aside and will be sent."
    ),
    Event.SETTLEMENT_PAID: _(
        "{reference} Settled: {amount} went to your M-Pesa. Balance {balance}."
    ),
}


def _refused(facts: Facts) -> Text:
    return _(
        "{reference} Not withdrawn: {amount}. {reason}",
        reference=facts["reference"],
        amount=_money(facts, "amount"),
        reason=face(orders.error_of(facts["refusal"])).words,
    )


def _saying(words: Text) -> Callable[[Facts], Text]:
    return lambda facts: Text(
        words.msgid,
        {
            "reference": facts["reference"],
            "amount": _money(facts, "amount"),
            "balance": _money(facts, "balance") if "balance" in facts else "",
        },
    )


def _money(facts: Facts, name: str) -> Money:
    return Money(facts[name], Currency[facts.get("currency", "KES")])


MPESA_NOTICES: Final[Mapping[Event, Callable[[Facts], Text]]] = {
    **{event: _saying(words) for event, words in _SAID.items()},
    Event.WITHDRAWAL_REFUSED: _refused,
}
