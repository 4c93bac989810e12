"""
Event to words: what we say unasked, by SMS. Each fits one GSM-7 part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from core import msisdn, orders
from core.money import Currency, Money
from core.outbox import Event
from core.subscribers import Language, Tier
from menus import access_notices, account_notices, clock, hold_notices, mpesa_notices
from menus.answers import ANSWERS
from menus.faces import face
from menus.facts import Facts, currency, money, when
from menus.text import Text, _


def words(event: Event, facts: Facts, language: Language) -> str:
    """Say an event in a language."""
    return NOTICES[event](facts).render(language)


def _registered(facts: Facts) -> Text:
    return _(
        "Welcome to Kabambe, {name}. Dial *384# to send money and see your balance."
        " Never tell anyone your PIN: we will not ask for it.",
        name=facts["name"],
    )


def _sent(facts: Facts) -> Text:
    return _(
        "{reference} Sent {amount} to {name} {number} on {at}. Fee {fee}. Balance {balance}."
        " Seal {seal}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        name=facts["name"],
        number=msisdn.masked(facts["msisdn"]),
        at=when(facts),
        fee=money(facts, "fee"),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _received(facts: Facts) -> Text:
    return _(
        "{reference} You received {amount} from {name} {number} on {at}. Fee {fee}."
        " Balance {balance}. Seal {seal}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        name=facts["name"],
        number=msisdn.masked(facts["msisdn"]),
        at=when(facts),
        fee=Money(0, currency(facts)),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _paid(facts: Facts) -> Text:
    return _(
        "{reference} Paid {amount} to {name} on {at}. Fee {fee}. Balance {balance}. Seal {seal}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        name=facts["name"],
        at=when(facts),
        fee=Money(0, currency(facts)),  # whoever is paid bears it
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _was_paid(facts: Facts) -> Text:
    return _(
        "{reference} {name} {number} paid you {amount} on {at}. Fee {fee}. Balance {balance}."
        " Seal {seal}",
        reference=facts["reference"],
        name=facts["name"],
        number=msisdn.masked(facts["msisdn"]),
        amount=money(facts, "amount"),
        at=when(facts),
        fee=money(facts, "fee"),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _gave_back(facts: Facts) -> Text:
    return _(
        "{reference} You gave {amount} back to {name} {number} on {at}. Balance {balance}."
        " Seal {seal}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        name=facts["name"],
        number=msisdn.masked(facts["msisdn"]),
        at=when(facts),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _got_back(facts: Facts) -> Text:
    return _(
        "{reference} {name} gave you back {amount} of payment {payment} on {at}."
        " Balance {balance}. Seal {seal}",
        reference=facts["reference"],
        name=facts["name"],
        amount=money(facts, "amount"),
        payment=facts["payment"],
        at=when(facts),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _not_given_back(facts: Facts) -> Text:
    return _(
        "{reference} Not given back: {amount}. {reason}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        reason=face(orders.error_of(facts["refusal"])).words,
    )


def _not_paid(facts: Facts) -> Text:
    return _(
        "{reference} Not paid: {amount}. {reason}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        reason=face(orders.error_of(facts["refusal"])).words,
    )


def _refused(facts: Facts) -> Text:
    error = orders.error_of(facts["refusal"])
    return _(
        "{reference} Not sent: {amount}. {reason}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        reason=face(error).words,
    )


def _exchanged(facts: Facts) -> Text:
    given, got = Currency[facts["given_currency"]], Currency[facts["got_currency"]]
    return _(
        "{reference} Got {got} for {given}, fee {fee}, {at}. Balances {left}, {now}. Seal {seal}",
        reference=facts["reference"],
        given=Money(facts["given"], given),
        got=Money(facts["got"], got),
        fee=Money(facts["spread"], got),
        at=when(facts),
        left=Money(facts["balance_given"], given),
        now=Money(facts["balance_got"], got),
        seal=facts["seal"],
    )


def _exchange_refused(facts: Facts) -> Text:
    return _(
        "{reference} Not exchanged: {given}. {reason}",
        reference=facts["reference"],
        given=Money(facts["given"], Currency[facts["given_currency"]]),
        reason=face(orders.error_of(facts["refusal"])).words,
    )


def _reversed(facts: Facts) -> Text:
    said = {
        "reference": facts["reference"],
        "amount": money(facts, "amount"),
        "name": facts["name"],
        "at": when(facts),
        "balance": money(facts, "balance"),
    }
    if "seal" not in facts:  # it would tell what the other had left
        return _(
            "{reference} {amount} you sent to {name} came back to you on {at}. Balance {balance}.",
            **said,
        )
    return _(
        "{reference} {amount} you sent to {name} came back to you on {at}. Balance {balance}."
        " Seal {seal}",
        seal=facts["seal"],
        **said,
    )


def _taken_back(facts: Facts) -> Text:
    return _(
        "{reference} {amount} from {name} was sent in error and went back on {at}."
        " Balance {balance}. Seal {seal}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        name=facts["name"],
        at=when(facts),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _reversal_declined(facts: Facts) -> Text:
    return _(
        "{reference} {amount} you sent to {name} could not be brought back.",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        name=facts["name"],
    )


def _debt_collected(facts: Facts) -> Text:
    return _(
        "{amount} that you owed us was taken from your account on {at}. You still owe {owed}."
        " Balance {balance}. Seal {seal}",
        amount=money(facts, "amount"),
        at=when(facts),
        owed=money(facts, "owed"),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _tier_set(facts: Facts) -> Text:
    match Tier(facts["tier"]):
        case Tier.PENDING:
            return _("Your Kabambe account is open with small limits. Show us your ID for more.")
        case Tier.VERIFIED:
            return _("We have seen your ID. You can now send and hold more with Kabambe.")
        case Tier.REJECTED:
            return _(
                "We could not accept your ID. Your Kabambe account cannot send or receive money."
                " Please contact us."
            )
        case Tier.SUSPENDED:
            return _(
                "Your Kabambe account is suspended. It cannot send or receive money."
                " Please contact us."
            )


def _vouchers_issued(facts: Facts) -> Text:
    return _(
        "You paid {total} for {count} vouchers of {amount}, valid until {until}."
        " Balance {balance}. Seal {seal}",
        total=money(facts, "total"),
        count=facts["count"],
        amount=money(facts, "amount"),
        until=clock.date_and_time(datetime.fromisoformat(facts["until"])),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _vouchers_refunded(facts: Facts) -> Text:
    return _(
        "{count} of your vouchers were not used. {amount} came back to you on {at}."
        " Balance {balance}.",
        count=facts["count"],
        amount=money(facts, "amount"),
        at=when(facts),
        balance=money(facts, "balance"),
    )


def _voucher_redeemed(facts: Facts) -> Text:
    return _(
        "{reference} You received {amount} from a voucher on {at}. Balance {balance}. Seal {seal}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        at=when(facts),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _voucher_refused(facts: Facts) -> Text:
    return _(
        "{reference} Your voucher gave you nothing. {reason}",
        reference=facts["reference"],
        reason=face(orders.error_of(facts["refusal"])).words,
    )


def _pin_changed(facts: Facts) -> Text:
    if "until" in facts:  # it had been forgotten
        return account_notices.pin_replaced(facts)
    return _(
        "Your Kabambe PIN was changed on {at}. If that was not you, dial *384# and change it.",
        at=when(facts),
    )


def _pin_locked(facts: Facts) -> Text:
    return _(
        "Your Kabambe PIN was entered wrong 3 times and is locked until {until}."
        " Your money is safe. Forgot it? Dial *384*3*1*2#",
        until=clock.minute_after(datetime.fromisoformat(facts["until"])),
    )


def _announced(facts: Facts) -> Text:
    return Text("{said}", {"said": facts["said"]})  # staff have said it in each language


NOTICES: Final[Mapping[Event, Callable[[Facts], Text]]] = {
    Event.REGISTERED: _registered,
    Event.TRANSFER_SENT: _sent,
    Event.TRANSFER_RECEIVED: _received,
    Event.TRANSFER_REFUSED: _refused,
    Event.PAYMENT_SENT: _paid,
    Event.PAYMENT_RECEIVED: _was_paid,
    Event.PAYMENT_REFUSED: _not_paid,
    Event.REFUND_SENT: _gave_back,
    Event.REFUND_RECEIVED: _got_back,
    Event.REFUND_REFUSED: _not_given_back,
    Event.EXCHANGED: _exchanged,
    Event.EXCHANGE_REFUSED: _exchange_refused,
    Event.TRANSFER_REVERSED: _reversed,
    Event.TRANSFER_TAKEN_BACK: _taken_back,
    Event.REVERSAL_DECLINED: _reversal_declined,
    Event.DEBT_COLLECTED: _debt_collected,
    Event.TIER_SET: _tier_set,
    Event.VOUCHERS_ISSUED: _vouchers_issued,
    Event.VOUCHERS_REFUNDED: _vouchers_refunded,
    Event.VOUCHER_REDEEMED: _voucher_redeemed,
    Event.VOUCHER_REFUSED: _voucher_refused,
    Event.PIN_CHANGED: _pin_changed,
    Event.PIN_LOCKED: _pin_locked,
    Event.RECOVERY_LOCKED: account_notices.recovery_locked,
    Event.NAME_CHANGED: account_notices.name_changed,
    Event.ACCOUNT_CLOSED: account_notices.account_closed,
    Event.WEBHOOK_DISABLED: account_notices.webhook_disabled,
    Event.ANNOUNCED: _announced,
    **access_notices.NOTICES,
    **mpesa_notices.NOTICES,
    **hold_notices.NOTICES,
    **ANSWERS,
}
