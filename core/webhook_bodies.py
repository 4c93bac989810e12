"""
Webhook bodies: what a program is told of an event, in the words of programs.

Facts are for SMS: bare minor units, whole numbers of phones, ids of ours. Here only what is listed
goes out, each thing in its own form; what nobody listed stays in the house.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from core import msisdn
from core.errors import DomainError
from core.money import Currency, Money
from core.orders import error_of

Facts = Mapping[str, Any]

# A fact that is money, and the fact that names its currency.
_MONEY: Final[Mapping[str, str]] = {
    "amount": "currency",
    "fee": "currency",
    "tariff": "currency",
    "total": "currency",
    "balance": "currency",
    "given": "given_currency",
    "got": "got_currency",
    "spread": "got_currency",
    "balance_given": "given_currency",
    "balance_got": "got_currency",
}
# What goes out as it is.
_PLAIN: Final = frozenset({"reference", "receipt", "count", "link", "memo", "payment"})
_INSTANTS: Final = frozenset({"at", "until"})
# Facts that are told in another form, or not at all.
KNOWN: Final = frozenset(
    {*_MONEY, *_MONEY.values(), *_PLAIN, *_INSTANTS, "name", "msisdn", "refusal", "journal", "seal"}
)


def body(*, kind: str, facts: Facts, at: datetime) -> str:
    """What is sent of an event, as Standard Webhooks has it; the same every time it is sent."""
    said = {"type": kind, "timestamp": _instant(at), "data": data(facts)}
    return json.dumps(said, separators=(",", ":"))


def data(facts: Facts) -> dict[str, object]:
    """Say an event's facts."""
    said: dict[str, object] = {}
    for name, value in facts.items():
        if value in (None, ""):
            continue
        if name in _MONEY:
            said[name] = money(Money(value, Currency[facts.get(_MONEY[name], "KES")]))
        elif name in _INSTANTS:
            said[name] = _instant(datetime.fromisoformat(value))
        elif name in _PLAIN:
            said[name] = value
        elif name == "refusal":
            said["refusal"] = _refusal(error_of(value))
    other = {
        word: value
        for word, value in (
            ("name", facts.get("name")),
            ("phone", msisdn.masked(facts["msisdn"]) if facts.get("msisdn") else None),
        )
        if value is not None
    }
    return said | ({"counterpart": other} if other else {})


def money(amount: Money) -> dict[str, str]:
    """An amount on the wire: a decimal string, never a number, with its currency."""
    major = Decimal(amount.minor).scaleb(-amount.currency.exponent)
    return {
        "value": f"{major:.{amount.currency.exponent}f}",
        "currency": amount.currency.value,
    }


def _refusal(error: DomainError) -> dict[str, object]:
    said: dict[str, object] = {
        "code": error.code,
        "title": (error.__doc__ or "").strip().splitlines()[0],
    }
    for name, value in error.params.items():
        match value:
            case Money():
                said[name] = money(value)
            case datetime():
                said[name] = _instant(value)
            case _:
                said[name] = value
    return said


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
