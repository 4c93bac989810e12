"""
Who lives in the town: people with a PIN and money, shops with tills, vouchers to be used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from bench import stack
from bench.stack import OPENER, Stack
from core import merchants, subscribers, voucher_batches
from core.money import kes
from core.orders import Kind
from core.subscribers import Language
from core.voucher_batches import Press

PIN: Final = stack.PIN
_SHOP_EVERY: Final = 50
_VOUCHER_EVERY: Final = 5
# Safaricom, mostly; Airtel, with its longer screens; one that publishes nothing.
_NETWORKS: Final = ("63902", "63902", "63902", "63903", "63907")

Orders = Counter[tuple[Kind, int]]


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
        ordered: What they know to have ordered, and saw the outcome of.
        maybe: What they confirmed without hearing what became of it.
        sent_to: The number of whom they sent money to last.
        is_new: Whether they have no account yet.
    """

    number: int
    msisdn: str
    network: str
    language: Language
    till: str = ""
    vouchers: list[str] = field(default_factory=list)
    ordered: Orders = field(default_factory=Counter)
    maybe: Orders = field(default_factory=Counter)
    sent_to: str = ""
    is_new: bool = False

    @classmethod
    def new(cls, number: int) -> Neighbour:
        """Somebody without an account."""
        network = _NETWORKS[number % len(_NETWORKS)]
        msisdn = f"+25479{number:07}"
        return cls(number, msisdn, network, Language.ENGLISH, is_new=True)


def settle(house: Stack, press: Press) -> list[Neighbour]:
    """Give every fiftieth person a shop, and every fifth a voucher."""
    now = datetime.now(UTC)
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
