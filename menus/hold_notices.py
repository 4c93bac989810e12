"""
What is told by SMS of money that is set aside for a merchant: by its owner, and to its owner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from core import orders
from core.outbox import Event
from menus import clock
from menus.faces import face
from menus.facts import Facts, money, when
from menus.text import Text, _


def _placed(facts: Facts) -> Text:
    return _(
        "{reference} You set aside {amount} for {name} until {until}. Balance {balance}."
        " Seal {seal}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        name=facts["name"],
        until=clock.date_and_time(datetime.fromisoformat(facts["until"])),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _offered(facts: Facts) -> Text:
    return _(
        "{reference} {name} set aside {amount} for you until {until}.",
        reference=facts["reference"],
        name=facts["name"],
        amount=money(facts, "amount"),
        until=clock.date_and_time(datetime.fromisoformat(facts["until"])),
    )


def _captured(facts: Facts) -> Text:
    if facts["left"]:
        return _(
            "{reference} {name} took {amount} of what you had set aside on {at}."
            " {left} came back to you. Seal {seal}",
            reference=facts["reference"],
            name=facts["name"],
            amount=money(facts, "amount"),
            at=when(facts),
            left=money(facts, "left"),
            seal=facts["seal"],
        )
    return _(
        "{reference} {name} took {amount} you had set aside on {at}. Seal {seal}",
        reference=facts["reference"],
        name=facts["name"],
        amount=money(facts, "amount"),
        at=when(facts),
        seal=facts["seal"],
    )


def _taken(facts: Facts) -> Text:
    return _(
        "{reference} You took {amount} that {name} had set aside on {at}. Fee {fee}."
        " Balance {balance}. Seal {seal}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        name=facts["name"],
        at=when(facts),
        fee=money(facts, "fee"),
        balance=money(facts, "balance"),
        seal=facts["seal"],
    )


def _released(facts: Facts) -> Text:
    return _(
        "{reference} {amount} you had set aside for {name} came back to you on {at}. Seal {seal}",
        reference=facts["reference"],
        amount=money(facts, "amount"),
        name=facts["name"],
        at=when(facts),
        seal=facts["seal"],
    )


def _refused(facts: Facts) -> Text:
    return _(
        "{reference} Not done. {reason}",
        reference=facts["reference"],
        reason=face(orders.error_of(facts["refusal"])).words,
    )


NOTICES: Final[Mapping[Event, Callable[[Facts], Text]]] = {
    Event.HOLD_PLACED: _placed,
    Event.HOLD_OFFERED: _offered,
    Event.HOLD_CAPTURED: _captured,
    Event.HOLD_TAKEN: _taken,
    Event.HOLD_RELEASED: _released,
    Event.HOLD_REFUSED: _refused,
}
