"""
Opens the demo subscribers, with something to play with, and the house's float. Twice is as once.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session

from core import chart, db, ledger, pins, rails, registration, subscribers
from core.audit import Actor
from core.ledger import Draft, Reason
from core.money import Currency, kes
from core.pins import Hasher
from core.rails import Pot
from core.settings import load
from core.subscribers import Language, Tier
from sandbox.daraja.contract import Contract

OPENER: Final = Actor("system", "sandbox", "demo")
PIN: Final = "4071"
BALANCE: Final = 10_000_00

PEOPLE: Final = (
    ("+254712000001", "Wanjiru", Language.ENGLISH),
    ("+254733000002", "Otieno", Language.ENGLISH),
    ("+254712000003", "Amina", Language.KISWAHILI),
)


def open_people(session: Session, *, hasher: Hasher, now: datetime) -> None:
    """Open whoever of the demo subscribers is missing."""
    cash = chart.SANDBOX_CASH.open(session, currency=Currency.KES)
    for msisdn, name, language in PEOPLE:
        if subscribers.find(session, msisdn=msisdn) is None:
            subscriber = subscribers.register(
                session,
                msisdn=msisdn,
                name=name,
                language=language,
                terms_version=registration.TERMS_VERSION,
                now=now,
            )
            subscribers.set_tier(
                session,
                subscriber=subscriber,
                tier=Tier.VERIFIED,
                actor=OPENER,
                note="opened for play",
                now=now,
            )
            pins.keep(session, subscriber=subscriber, pin=PIN, hasher=hasher, actor=OPENER, now=now)
        person = subscribers.recipient(session, msisdn=msisdn)
        draft = Draft(
            key=f"demo:{msisdn}",
            reason=Reason.OPENING,
            legs={cash: -BALANCE, person.account_id: BALANCE},
        )
        ledger.post(session, drafts=[draft], now=now)


def lend_float(session: Session, *, now: datetime) -> None:
    """Write down the float that the sandbox's Safaricom has for us, to pay out from."""
    rails.move(
        session,
        amount=kes(int(Contract().float_kes * 100)),
        source=Pot.BANK,
        target=Pot.UTILITY,
        key="demo",
        actor=OPENER,
        note="what the sandbox's Safaricom has for us",
        now=now,
    )


def main() -> int:
    """Open them in the database of this environment, if it is a sandbox."""
    settings = load()
    if settings.environment != "sandbox":
        print("Demo subscribers exist in the sandbox only.", file=sys.stderr)
        return 1
    databases = db.connect(settings.database_url.get_secret_value())
    hasher = Hasher(settings.pin_pepper.get_secret_value())
    now = datetime.now(UTC)
    db.transact(databases, lambda session: open_people(session, hasher=hasher, now=now))
    db.transact(databases, lambda session: lend_float(session, now=now))
    return 0


if __name__ == "__main__":
    sys.exit(main())
