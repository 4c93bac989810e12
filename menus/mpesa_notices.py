"""
What is told by SMS of money that came over a rail, or went there, or did not: M-Pesa, mostly.

A receipt begins with the provider's own code: it is what the person finds in M-Pesa's SMS, and what
Safaricom asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from core import msisdn, orders
from core.outbox import Event
from core.rails import Provider
from menus.faces import face
from menus.facts import Facts, money, when
from menus.mpesa_words import why_not_paid, why_not_paid_out
from menus.text import Text, _

_TITLES: Final = {
    Provider.MPESA: "M-Pesa",
    Provider.PAYSTACK: "Paystack",
    Provider.FLUTTERWAVE: "Flutterwave",
}


def _deposit_settled(facts: Facts) -> Text:
    return _(
        "{code} Confirmed. {amount} from {rail} is on your account on {at}. Fee {fee}."
        " Balance {balance}. Seal {seal}",
        rail=_rail(facts),
        **_receipt(facts),
    )


def _till_received(facts: Facts) -> Text:
    if not facts["msisdn"]:  # of who pays our paybill M-Pesa tells no number
        return _(
            "{code} You were paid {amount} by M-Pesa on {at}. Fee {fee}. Balance {balance}."
            " Seal {seal}",
            **_receipt(facts),
        )
    return _(
        "{code} {number} paid you {amount} by M-Pesa on {at}. Fee {fee}. Balance {balance}."
        " Seal {seal}",
        number=msisdn.masked(facts["msisdn"]),
        **_receipt(facts),
    )


def _deposit_failed(facts: Facts) -> Text:
    return _(
        "{reference} {amount} did not come from {rail}. {reason}",
        reason=why_not_paid(facts["code"]) if _is_mpesa(facts) else _("It was not paid."),
        **_about(facts),
    )


def _till_failed(facts: Facts) -> Text:
    return _(
        "{reference} {number} did not pay you {amount} by M-Pesa.",
        number=msisdn.masked(facts["msisdn"]),
        **_about(facts),
    )


def _deposit_expired(facts: Facts) -> Text:
    return _(
        "{reference} {rail} has not said if {amount} was paid. If it was, it comes to your account"
        " by itself: check your messages before you pay again.",
        **_about(facts),
    )


def _deposit_in_review(facts: Facts) -> Text:
    return _(
        "{reference} We are checking your {amount} from {rail}. Nothing is lost; you will hear"
        " from us. Please do not pay again.",
        **_about(facts),
    )


def _withdrawal_paid(facts: Facts) -> Text:
    if not _is_mpesa(facts):
        return _(
            "{code} Confirmed. {amount} was paid out by {rail} on {at}. Fees {fee}."
            " Balance {balance}. Seal {seal}",
            rail=_rail(facts),
            **_receipt(facts),
        )
    return _(
        "{code} Confirmed. {amount} went to your M-Pesa on {at}. Fees {fee}. Balance {balance}."
        " Seal {seal}",
        **_receipt(facts),
    )


def _settlement_paid(facts: Facts) -> Text:
    return _(
        "{code} Settled: {amount} went to your M-Pesa on {at}. Fees {fee}. Balance {balance}."
        " Seal {seal}",
        **_receipt(facts),
    )


def _withdrawal_failed(facts: Facts) -> Text:
    if not _is_mpesa(facts):
        return _(
            "{reference} {amount} was not paid out by {rail}. It is back on your account, fees"
            " too.",
            **_about(facts),
        )
    return _(
        "{reference} {amount} did not go to your M-Pesa. {reason} It is back on your account, fees"
        " too.",
        reason=why_not_paid_out(facts.get("code", "")),
        **_about(facts),
    )


def _withdrawal_refused(facts: Facts) -> Text:
    return _(
        "{reference} Not withdrawn: {amount}. {reason}",
        reason=face(orders.error_of(facts["refusal"])).words,
        **_about(facts),
    )


def _withdrawal_delayed(facts: Facts) -> Text:
    return _(
        "{reference} {rail} is slow: your {amount} is set aside and will be sent. You will get an"
        " SMS. Please do not withdraw it again.",
        **_about(facts),
    )


def _about(facts: Facts) -> dict[str, object]:
    return {
        "reference": facts["reference"],
        "amount": money(facts, "amount"),
        "rail": _rail(facts),
    }


def _rail(facts: Facts) -> str:
    return _TITLES[Provider(facts.get("provider", Provider.MPESA))]


def _is_mpesa(facts: Facts) -> bool:
    return _rail(facts) == _TITLES[Provider.MPESA]


def _receipt(facts: Facts) -> dict[str, object]:
    return {
        "code": _code(facts),
        "amount": money(facts, "amount"),
        "at": when(facts),
        "fee": money(facts, "fee"),
        "balance": money(facts, "balance"),
        "seal": facts["seal"],
    }


def _code(facts: Facts) -> str:
    """M-Pesa's; where it was asked and told none, ours."""
    return str(facts["receipt"] or facts["reference"])


NOTICES: Final[Mapping[Event, Callable[[Facts], Text]]] = {
    Event.DEPOSIT_SETTLED: _deposit_settled,
    Event.DEPOSIT_FAILED: _deposit_failed,
    Event.DEPOSIT_EXPIRED: _deposit_expired,
    Event.DEPOSIT_IN_REVIEW: _deposit_in_review,
    Event.TILL_RECEIVED: _till_received,
    Event.TILL_FAILED: _till_failed,
    Event.WITHDRAWAL_REFUSED: _withdrawal_refused,
    Event.WITHDRAWAL_PAID: _withdrawal_paid,
    Event.WITHDRAWAL_FAILED: _withdrawal_failed,
    Event.WITHDRAWAL_DELAYED: _withdrawal_delayed,
    Event.SETTLEMENT_PAID: _settlement_paid,
}
