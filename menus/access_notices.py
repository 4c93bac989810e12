"""
Words for who may act for somebody by a program, told to them, who may not have done it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from core.outbox import Event
from menus import clock
from menus.facts import Facts, when
from menus.text import Text, _


def _device_added(facts: Facts) -> Text:
    return _(
        "Somebody with your PIN logged in to Kabambe on {device} on {at}."
        " If that was not you, dial *384# and change your PIN now.",
        device=facts["device"],
        at=when(facts),
    )


def _device_copied(facts: Facts) -> Text:
    return _(
        "We logged out {device} from Kabambe, as somebody may have copied its log-in."
        " If you use it, log in again.",
        device=facts["device"],
    )


def _log_in_locked(facts: Facts) -> Text:
    return _(
        "Somebody with your codes failed 5 times to log in to Kabambe."
        " Your PIN is locked until {until}. If that was not you, contact us.",
        until=clock.minute_after(datetime.fromisoformat(facts["until"])),
    )


def _second_factor_set(facts: Facts) -> Text:
    return _(
        "From {at} your Kabambe account asks for your authenticator too."
        " If that was not you, contact us now.",
        at=when(facts),
    )


def _second_factor_removed(facts: Facts) -> Text:
    return _(
        "Since {at} your Kabambe account asks for no second factor."
        " If that was not you, contact us now.",
        at=when(facts),
    )


def _api_key_made(facts: Facts) -> Text:
    return _(
        "A key was made on {at} with which a program can use your Kabambe account."
        " If that was not you, contact us now.",
        at=when(facts),
    )


def _webhook_set(facts: Facts) -> Text:
    return _(
        "Since {at} a program at {host} is told of your Kabambe account."
        " If that was not you, contact us now.",
        at=when(facts),
        host=facts["host"],
    )


def _issuer_linked(facts: Facts) -> Text:
    return _(
        "Since {at} somebody can log in to Kabambe with an account of {issuer} and your PIN."
        " If that was not you, change your PIN.",
        at=when(facts),
        issuer=facts["issuer"],
    )


NOTICES: Final[Mapping[Event, Callable[[Facts], Text]]] = {
    Event.DEVICE_ADDED: _device_added,
    Event.DEVICE_COPIED: _device_copied,
    Event.LOG_IN_LOCKED: _log_in_locked,
    Event.SECOND_FACTOR_SET: _second_factor_set,
    Event.SECOND_FACTOR_REMOVED: _second_factor_removed,
    Event.API_KEY_MADE: _api_key_made,
    Event.WEBHOOK_SET: _webhook_set,
    Event.ISSUER_LINKED: _issuer_linked,
}
