"""
Who lives in the town: people with a PIN and money, shops with tills, vouchers to be used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy.orm import Session

from bench import stack
from bench.stack import OPENER, Stack
from core import db, merchants, subscribers, voucher_batches
from core.money import kes
from core.subscribers import Language
from core.voucher_batches import Press
from sandbox import demo

PIN: Final = stack.PIN
_SHOP_EVERY: Final = 50
_VOUCHER_EVERY: Final = 5
# Safaricom, mostly; Airtel, with its longer screens; one that publishes nothing.
_NETWORKS: Final = ("63902", "63902", "63902", "63903", "63907")

_CANCELS_EVERY: Final = 10
_CANCELS: Final = 7

# What may come of what somebody asks for, besides the kinds of orders, and the notices that answer
# an SMS. Of what M-Pesa moves the deed is the payer's, or the payee's.
DEPOSIT: Final = "deposit"
TILL: Final = "till"
UNPAID_DEPOSIT: Final = "deposit not paid"
UNPAID_TILL: Final = "till not paid"
WITHDRAWAL: Final = "withdrawal"
SETTLEMENT: Final = "settlement"
PIN_CHANGED: Final = "pin-changed"
NAME_CHANGED: Final = "name-changed"
LANGUAGE_SET: Final = "language-set"

Deed = tuple[str, int | str]
"""Of what kind, and how much in minor units; of what moves no money, what it became."""
Deeds = Counter[Deed]


@dataclass
class Neighbour:
    """
    Somebody in the town.

    Args:
        number: Which of them it is.
        msisdn: Their phone number.
        network: The aggregator's code for their network.
        language: What they read.
        till: Of their shop, if they have one.
        vouchers: The codes they were given.
        ordered: What they know to have asked for, and saw taken.
        maybe: What they confirmed without hearing what became of it.
        sent_to: The number of whom they sent money to last.
        pin: Theirs, as far as they know.
        name: What they are called, as far as they know.
        has_stopped: Whether they want no offers.
        doubts: Of what we know of them, by its name here, what they cannot be sure of.
        is_new: Whether they have no account yet.
    """

    number: int
    msisdn: str
    network: str
    language: Language
    till: str = ""
    vouchers: list[str] = field(default_factory=list)
    ordered: Deeds = field(default_factory=Counter)
    maybe: Deeds = field(default_factory=Counter)
    sent_to: str = ""
    pin: str = PIN
    name: str = stack.NAME
    has_stopped: bool = False
    doubts: set[str] = field(default_factory=set)
    is_new: bool = False

    @property
    def other_language(self) -> Language:
        """The one they do not read."""
        return Language.ENGLISH if self.language is Language.KISWAHILI else Language.KISWAHILI

    @property
    def cancels_prompts(self) -> bool:
        """Whether they think better of it whenever M-Pesa asks for their PIN."""
        return self.number % _CANCELS_EVERY == _CANCELS

    @classmethod
    def new(cls, number: int) -> Neighbour:
        """Somebody without an account."""
        network = _NETWORKS[number % len(_NETWORKS)]
        msisdn = f"+25479{number:07}"
        return cls(number, msisdn, network, Language.ENGLISH, is_new=True)


def settle(house: Stack, press: Press) -> list[Neighbour]:
    """Give every fiftieth person a shop, every fifth a voucher, and the house its float."""
    now = datetime.now(UTC)
    db.transact(house.databases, partial(demo.lend_float, now=now))
    town = [
        Neighbour(
            number,
            msisdn,
            _NETWORKS[number % len(_NETWORKS)],
            Language.KISWAHILI if number % 2 else Language.ENGLISH,
        )
        for number, msisdn in enumerate(house.people)
    ]
    with house.databases.begin() as session:
        for each in town:
            person = subscribers.recipient(session, msisdn=each.msisdn)
            if each.language is not person.language:
                subscribers.set_language(
                    session, subscriber=person.id, language=each.language, actor=OPENER, now=now
                )
            if each.number % _SHOP_EVERY == 0:
                each.till = merchants.open_till(
                    session, subscriber=person.id, actor=OPENER, now=now
                )
        given = town[::_VOUCHER_EVERY]
        for each, code in zip(given, _codes(session, len(given), press, now), strict=True):
            each.vouchers.append(code)
    return town


def _codes(session: Session, count: int, press: Press, now: datetime) -> Sequence[str]:
    batch = voucher_batches.issue(
        session,
        issuer=None,
        count=count,
        value=kes(100_00),
        expires_at=now + timedelta(days=30),
        key="town",
        press=press,
        actor=OPENER,
        now=now,
    )
    printed = voucher_batches.print_all(session, batch=batch, press=press, actor=OPENER, now=now)
    return [each.code for each in printed]
