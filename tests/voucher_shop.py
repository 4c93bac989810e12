"""Whoever issues vouchers and whoever redeems them, as tests need them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core import chart, execution, ledger, orders, subscribers, voucher_batches, vouchers
from core.audit import Actor
from core.codes import Veil
from core.db import transact
from core.money import Currency, kes
from core.orders import Kind, State
from core.voucher_batches import Press

STAFF = Actor("staff:jane", "127.0.0.1", "r1")
HUNDRED = kes(100_00)
PRESS = Press(Ed25519PrivateKey.from_private_bytes(b"press" + bytes(27)), Veil("veil of the tests"))
USD = Currency.USD


class Shop:
    """Whoever issues vouchers, and whoever redeems them."""

    def __init__(self, house) -> None:
        self.house = house

    def person(self, someone):
        with self.house.databases["worker"]() as session:
            return subscribers.recipient(session, msisdn=someone.phone.msisdn)

    def issue(self, issuer=None, *, count=3, value=HUNDRED, days=30, key="k", press=PRESS):
        now = self.house.clock()
        return transact(
            self.house.databases["worker"],
            lambda session: voucher_batches.issue(
                session,
                issuer=issuer and self.person(issuer),
                count=count,
                value=value,
                expires_at=self.house.clock.began + timedelta(days=days),
                key=key,
                press=press,
                actor=STAFF,
                now=now,
            ),
        )

    def printed(self, batch, *, press=PRESS):
        with self.house.databases["worker"].begin() as session:
            found = voucher_batches.print_all(
                session, batch=batch, press=press, actor=STAFF, now=self.house.clock()
            )
        return list(found)

    def codes(self, *args, **kwargs):
        return [each.code for each in self.printed(self.issue(*args, **kwargs))]

    def find(self, someone, typed, *, role="web"):
        """As a door does: a wrong try is kept, whatever else is not."""
        person = self.person(someone)
        refusal = None
        with self.house.databases[role].begin() as session:
            try:
                return vouchers.find(
                    session,
                    person=person,
                    typed=typed,
                    veil=PRESS.veil,
                    actor=Actor(person.msisdn, "ussd", "s"),
                    now=self.house.clock(),
                )
            except vouchers.DomainError as error:
                refusal = error
        raise refusal

    def found(self, batch, number, value, ends):
        """As if its code had been typed, open or not."""
        code_hash = self.house.bank.one(
            "SELECT code_hash FROM vouchers WHERE batch_id = :b AND number = :n", b=batch, n=number
        )
        return vouchers.Found(batch, number, value, ends, bytes(code_hash))

    def order(self, someone, found, *, key="r"):
        with self.house.databases["web"].begin() as session:
            return vouchers.order(
                session,
                subscriber=self.person(someone).id,
                found=found,
                key=key,
                now=self.house.clock(),
            ).id

    def past(self, someone, args, *, key):
        """Order past every guard of the web's, as whoever took it over may."""
        owner, now = self.person(someone).id, self.house.clock()
        with self.house.databases["web"].begin() as session:
            orders.place(
                session, kind=Kind.REDEMPTION, subscriber=owner, args=args, key=key, now=now
            )

    def redeem(self, someone, typed, *, key="r"):
        self.order(someone, self.find(someone, typed), key=key)
        self.execute()
        return self.outcome(key)

    def execute(self):
        while execution.execute(self.house.databases["worker"], now=self.house.clock()):
            pass

    def outcome(self, key="r"):
        [(state, outcome)] = self.house.bank.rows(
            "SELECT state, outcome FROM orders WHERE key = :k", k=key
        )
        return "done" if state == State.DONE else outcome["code"]

    def cancel(self, batch, *, note="misprinted"):
        with self.house.databases["worker"].begin() as session:
            voucher_batches.cancel(
                session, batch=batch, actor=STAFF, note=note, now=self.house.clock()
            )

    def set_tier(self, someone, tier):
        with self.house.databases["worker"].begin() as session:
            subscribers.set_tier(
                session,
                subscriber=self.person(someone).id,
                tier=tier,
                actor=STAFF,
                note="t",
                now=self.house.clock(),
            )

    def balance(self, place=chart.VOUCHERS, currency=Currency.KES, owner=None):
        with self.house.databases["worker"]() as session:
            return ledger.balance(session, path=place.named(currency, owner=owner))

    def told(self, someone):
        return [each["message"] for each in self.house.messages(someone.phone.msisdn)]

    def states(self):
        return self.house.bank.rows(
            "SELECT state, count(*) FROM vouchers GROUP BY state ORDER BY state"
        )


@contextmanager
def opened(house):
    """A shop; after every test what is held for vouchers is what the open ones are worth."""
    house.clock.began = house.clock()
    yield Shop(house)
    held = house.bank.rows(
        "SELECT currency, (SELECT coalesce(sum(b.value), 0) FROM vouchers v"
        " JOIN voucher_batches b ON b.id = v.batch_id AND b.currency = a.currency"
        " WHERE v.state = 'open') FROM accounts a WHERE path LIKE 'vouchers:open:%'"
    )
    for currency, worth in held:
        assert Shop(house).balance(currency=Currency[currency]).minor == worth, currency
