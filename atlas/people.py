"""Who lives in the map's world, and what happened there before anybody dials."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import Session

from core import (
    chart,
    execution,
    ledger,
    merchants,
    pins,
    rates,
    subscribers,
    transfers,
    voucher_batches,
)
from core.audit import Actor
from core.codes import Veil
from core.db import Databases, transact
from core.ledger import Draft, Reason
from core.money import Currency, kes
from core.otp_codes import OtpKey
from core.pins import Hasher
from core.rates import Rate
from core.subscribers import Language, Tier
from core.voucher_batches import Press

MORNING: Final = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)  # 09:30 in Nairobi
PIN: Final = "4071"
WANJIRU: Final = "+254712000001"
OTIENO: Final = "+254733000002"
SHOP: Final = "+254722000003"
NJERI: Final = "+254711000004"
STRANGER: Final = "+254720000009"
PRESS: Final = Press(Ed25519PrivateKey.from_private_bytes(bytes(32)), Veil("atlas"))
OTP_KEY: Final = OtpKey("atlas")
HASHER: Final = Hasher("atlas", cheap=True)

_OPENER: Final = Actor("system", "atlas", "people")
_PEOPLE: Final = {WANJIRU: "Wanjiru", OTIENO: "Otieno", SHOP: "Duka la Mama", NJERI: "Njeri"}
_BALANCES: Final = {WANJIRU: 10_000_00, OTIENO: 2_000_00, SHOP: 3_000_00}
_DOLLARS: Final = 50_00
# Who sent how much to whom, how long ago.
_SENT: Final = (
    (OTIENO, WANJIRU, 300_00, timedelta(days=2)),
    (WANJIRU, OTIENO, 150_00, timedelta(days=1)),
)


def settle(owner: Databases) -> list[str]:
    """Let everybody move in; return the codes of the vouchers that were issued."""
    transact(owner, _open)
    for sender, recipient, minor, ago in _SENT:
        _send(owner, sender, recipient, minor, MORNING - ago)
    transact(owner, _change)
    return transact(owner, _issue)


def _open(session: Session) -> None:
    moved_in = MORNING - timedelta(days=3)
    cash = chart.SANDBOX_CASH.open(session, currency=Currency.KES)
    for msisdn, name in _PEOPLE.items():
        subscriber = subscribers.register(
            session,
            msisdn=msisdn,
            name=name,
            language=Language.ENGLISH,
            terms_version="atlas",
            now=moved_in,
        )
        subscribers.set_tier(
            session,
            subscriber=subscriber,
            tier=Tier.VERIFIED,
            actor=_OPENER,
            note="opened to be drawn",
            now=moved_in,
        )
        pins.keep(
            session, subscriber=subscriber, pin=PIN, hasher=HASHER, actor=_OPENER, now=moved_in
        )
        if msisdn in _BALANCES:
            account = subscribers.recipient(session, msisdn=msisdn).account_id
            legs = {cash: -_BALANCES[msisdn], account: _BALANCES[msisdn]}
            draft = Draft(f"atlas:{msisdn}", Reason.OPENING, legs)
            ledger.post(session, drafts=[draft], now=moved_in)
        if msisdn == SHOP:
            merchants.open_till(session, subscriber=subscriber, actor=_OPENER, now=moved_in)


def _send(owner: Databases, sender: str, recipient: str, minor: int, at: datetime) -> None:
    def order(session: Session) -> None:
        person = subscribers.recipient(session, msisdn=sender)
        transfers.order(
            session,
            sender=person,
            recipient=subscribers.recipient(session, msisdn=recipient).id,
            quoted=transfers.quote(session, sender=person, amount=kes(minor), now=at),
            key=f"ussd:atlas:{sender}:{minor}",  # confirmed with a PIN
            now=at,
        )

    transact(owner, order)
    execution.execute(owner, now=at)


def _change(session: Session) -> None:
    """Give Wanjiru dollars, and say what they cost."""
    now = MORNING - timedelta(seconds=5)
    wanjiru = subscribers.recipient(session, msisdn=WANJIRU).id
    cash = chart.SANDBOX_CASH.open(session, currency=Currency.USD)
    hers = chart.MAIN.open(session, currency=Currency.USD, owner=wanjiru)
    legs = {cash: -_DOLLARS, hers: _DOLLARS}
    ledger.post(session, drafts=[Draft("atlas:usd", Reason.OPENING, legs)], now=now)
    rate = Rate(Currency.USD, Currency.KES, Decimal(129), Decimal(131), "atlas", now)
    rates.record(session, rates=[rate], now=now)


def _issue(session: Session) -> list[str]:
    batch = voucher_batches.issue(
        session,
        issuer=None,
        count=2,
        value=kes(100_00),
        expires_at=MORNING + timedelta(days=365),
        key="atlas",
        press=PRESS,
        actor=_OPENER,
        now=MORNING - timedelta(days=1),
    )
    printed = voucher_batches.print_all(
        session, batch=batch, press=PRESS, actor=_OPENER, now=MORNING
    )
    return [each.code for each in printed]
