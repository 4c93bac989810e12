"""
Words for what was done to an account, told to its owner, who may not have done it.
"""

from __future__ import annotations

from datetime import datetime

from core.money import kes
from menus import clock
from menus.facts import Facts
from menus.text import Text, _


def pin_replaced(facts: Facts) -> Text:
    return _(
        "Your forgotten Kabambe PIN was replaced on {at}. Until {until} you can send {limit} a day."
        " If that was not you, contact us now.",
        at=clock.date_and_time(datetime.fromisoformat(facts["at"])),
        until=_until(facts),
        limit=kes(facts["limit"]),
    )


def recovery_locked(facts: Facts) -> Text:
    return _(
        "Somebody gave 3 wrong answers to replace your Kabambe PIN. Nobody can try until {until}."
        " If that was not you, contact us.",
        until=_until(facts),
    )


def name_changed(facts: Facts) -> Text:
    return _(
        "Others now see you as {name} on Kabambe. If that was not you, dial *384# and change your"
        " PIN.",
        name=facts["name"],
    )


def account_closed(facts: Facts) -> Text:
    return _(
        "Your Kabambe account, wallet {number}, was closed on {at}. You can open another a day"
        " later. If that was not you, contact us.",
        number=facts["wallet_number"],
        at=clock.date_and_time(datetime.fromisoformat(facts["at"])),
    )


def webhook_disabled(facts: Facts) -> Text:
    if facts["why"] == "gone":
        return _(
            "Kabambe calls your webhook at {host} no more: it said that it is gone. Turn it on"
            " again in the app.",
            host=facts["host"],
        )
    return _(
        "Kabambe calls your webhook at {host} no more: it has failed for 3 days. Turn it on again"
        " in the app.",
        host=facts["host"],
    )


def _until(facts: Facts) -> str:
    return clock.day_and_minute_after(datetime.fromisoformat(facts["until"]))
