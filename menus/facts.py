"""
The facts of an event, as words mention them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from core.money import Currency, Money
from menus import clock

Facts: TypeAlias = Mapping[str, Any]


def currency(facts: Facts) -> Currency:
    """What its amounts are in; facts that name no currency are in shillings."""
    return Currency[facts.get("currency", "KES")]


def money(facts: Facts, name: str) -> Money:
    """One of its amounts."""
    return Money(facts[name], currency(facts))


def when(facts: Facts) -> str:
    """When it happened, as people in Nairobi read it."""
    return clock.date_and_time(datetime.fromisoformat(facts["at"]))
