"""
What people come for to change what we know of them: PIN, language, name; to join, and to leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from bench.town.people import LANGUAGE_SET, NAME_CHANGED, PIN_CHANGED, Neighbour
from bench.town.steps import Plan, step
from core.subscribers import Language

NAME: Final = "Jirani"
OTHER_PIN: Final = "6283"


def change_pin(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Choose another PIN."""
    return Plan(
        "pin",
        [
            step("3", "account.Account"),
            step("1", "account.Pin"),
            step("1", "account.OldPin"),
            step(me.pin, "account.NewPin"),
            step(OTHER_PIN, "account.RepeatPin", wrong="1234"),
            step(OTHER_PIN, "screen.Done", confirms=True),
        ],
        (PIN_CHANGED, 0),
        becomes={"pin": OTHER_PIN},
        is_once=True,
    )


def keep_pin(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Set out to change one's PIN, and think better of it at the new one."""
    return Plan(
        "account",
        [
            step("3", "account.Account"),
            step("1", "account.Pin"),
            step("1", "account.OldPin"),
            step(me.pin, "account.NewPin"),
            step("1234", "account.NewPin"),
            step("00", "home.Home", says="KES"),
        ],
    )


def language(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Have us speak the other language."""
    other = me.other_language
    return Plan(
        "language",
        [
            step("3", "account.Account"),
            step("2", "account.ChooseLanguage", wrong="77"),
            step(
                "2" if other is Language.KISWAHILI else "1",
                "screen.Done",
                says="Kiswahili" if other is Language.KISWAHILI else "English",
                confirms=True,
            ),
        ],
        (LANGUAGE_SET, other.value),
        becomes={"language": other},
        is_once=True,
    )


def rename(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Be called otherwise."""
    return Plan(
        "naming",
        [
            step("3", "account.Account"),
            step("3", "naming.NewName"),
            step(NAME, "naming.ConfirmName", says=NAME, wrong="7"),
            step(me.pin, "screen.Done", says=NAME, confirms=True),
        ],
        (NAME_CHANGED, NAME),
        becomes={"name": NAME},
        is_once=True,
    )


def close(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Leave for good."""
    return Plan(
        "closing",
        [
            step("3", "account.Account"),
            step("5", "closing.Close"),
            step(me.pin, "screen.Done", confirms=True),
        ],
        is_once=True,
    )


def register(me: Neighbour, _all: Sequence[Neighbour], _chance: Random) -> Plan:
    """Open an account."""
    return Plan(
        "register",
        [
            step("1", "register.Name", wrong="9"),
            step("Newcomer", "register.NewPin", wrong="!"),
            step(me.pin, "register.RepeatPin"),
            step(me.pin, "register.Terms"),
            step("1", "screen.Done", says="Newcomer", confirms=True),
        ],
        is_once=True,
    )
