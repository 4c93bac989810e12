"""What comes in and goes out over a rail, as tests act it: the hop, the hand and the provider."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count

from rail_payouts import STAFF, Payouts, token

from core import (
    chart,
    deposits,
    ledger,
    merchants,
    paybill,
    reconciliation,
    subscribers,
    suspense,
)
from core.db import transact
from core.money import Currency, kes
from core.rails import Provider
from core.subscribers import Tier

MPESA = Provider.MPESA


class Rail(Payouts):
    """Deposits, payments and payouts of one house; its clock is the house's."""

    def __init__(self, house) -> None:
        self.house = house
        self.keys = count(1)

    @property
    def now(self):
        return self.house.clock()

    def web(self, work):
        return transact(self.house.databases["web"], work)

    def worker(self, work):
        return transact(self.house.databases["worker"], work)

    def person(self, someone):
        with self.house.databases["worker"]() as session:
            return subscribers.recipient(session, msisdn=someone.phone.msisdn)

    def set_tier(self, someone, tier: Tier) -> None:
        self.worker(
            lambda session: subscribers.set_tier(
                session,
                subscriber=self.person(someone).id,
                tier=tier,
                actor=STAFF,
                note="t",
                now=self.now,
            )
        )

    def open_till(self, someone):
        return self.worker(
            lambda session: merchants.open_till(
                session, subscriber=self.person(someone).id, actor=STAFF, now=self.now
            )
        )

    # Deposits

    def quote(self, someone, minor, *, payer=None, purpose="own"):
        person = self.person(someone)
        return self.web(
            lambda session: deposits.quote(
                session,
                person=person,
                amount=kes(minor),
                payer=payer,
                purpose=purpose,
                now=self.now,
            )
        )

    def expect(self, someone, minor=500_00, *, payer=None, purpose="own", key=None):
        quoted = self.quote(someone, minor, payer=payer, purpose=purpose)
        person = self.person(someone)
        key = key or f"d{next(self.keys)}"
        return self.web(
            lambda session: deposits.expect(
                session,
                subscriber=person.id,
                payer=payer or person.msisdn,
                quoted=quoted,
                key=key,
                now=self.now,
            )
        ).id

    def expect_again(self, someone, minor=500_00, *, key):
        """Without a quote, which may say beforehand that there is one."""
        person = self.person(someone)
        quoted = deposits.Quote(kes(minor), kes(0), kes(0))
        return self.web(
            lambda session: deposits.expect(
                session,
                subscriber=person.id,
                payer=person.msisdn,
                quoted=quoted,
                key=key,
                now=self.now,
            )
        ).id

    def due(self):
        with self.house.databases["worker"]() as session:
            return deposits.due(session, now=self.now, deposits_max=10)

    def begin(self, deposit):
        return self.worker(
            lambda session: deposits.begin(
                session, deposit=deposit, token_hash=token(f"d{deposit}"), now=self.now
            )
        )

    def prompted(self, deposit, ref=None):
        self.worker(
            lambda session: deposits.prompted(
                session, deposit=deposit, provider_ref=ref or f"ws_CO_{deposit}", now=self.now
            )
        )

    def unsure(self, deposit):
        self.worker(
            lambda session: deposits.unsure(session, deposit=deposit, why="no answer", now=self.now)
        )

    def reject(self, deposit, code):
        self.worker(
            lambda session: deposits.rejected(
                session, deposit=deposit, code=code, why="it says so", now=self.now
            )
        )

    def sweep_deposits(self):
        return self.worker(lambda session: deposits.sweep(session, now=self.now))

    def doubtful(self):
        with self.house.databases["worker"]() as session:
            found = deposits.doubtful(session, now=self.now, deposits_max=10)
        return [each.id for each in found]

    def asked(self, deposit):
        self.worker(lambda session: deposits.asked(session, deposit=deposit, now=self.now))

    def receipt_of(self, deposit):
        return self.house.bank.one("SELECT receipt FROM deposits WHERE id = :d", d=deposit)

    def prompt(self, someone, minor=500_00, **more):
        """A deposit whose payer has the prompt on their phone."""
        deposit = self.expect(someone, minor, **more)
        self.house.clock.passes(seconds=3)
        assert self.begin(deposit) is not None
        self.prompted(deposit)
        return deposit

    def settle(self, deposit, receipt="NLJ7RT61SV", **more):
        given = {"told": None, "payer": None, "provider_ref": None} | more
        return self.worker(
            lambda session: deposits.settle(
                session, deposit=deposit, receipt=receipt, now=self.now, **given
            )
        )

    def fail(self, deposit, code="1032"):
        return self.worker(
            lambda session: deposits.fail(
                session, deposit=deposit, code=code, why="it says so", now=self.now
            )
        )

    def expire(self):
        return self.worker(lambda session: deposits.expire(session, now=self.now))

    def deposit_state(self, deposit):
        return self.house.bank.one("SELECT state FROM deposits WHERE id = :d", d=deposit)

    # What is paid to the paybill

    def pay(self, receipt, account, minor, *, confirmed=True, payer="2547 ***** 126"):
        return self.worker(
            lambda session: paybill.receive(
                session,
                receipt=receipt,
                account=account,
                amount=kes(minor),
                payer=payer,
                at=self.now,
                confirmed=confirmed,
                now=self.now,
            )
        )

    def confirm(self, receipt, minor):
        return self.worker(
            lambda session: paybill.confirmed(
                session, receipt=receipt, amount=kes(minor), now=self.now
            )
        )

    def refute(self, receipt):
        return self.worker(
            lambda session: paybill.refuted(
                session, receipt=receipt, why="does not exist", now=self.now
            )
        )

    def unconfirmed(self):
        with self.house.databases["worker"]() as session:
            return paybill.unconfirmed(session, now=self.now, payments_max=10)

    def asked_of(self, receipt):
        self.worker(lambda session: paybill.asked(session, receipt=receipt, now=self.now))

    def give_up(self):
        return self.worker(lambda session: paybill.give_up(session, now=self.now))

    def ask_for_a_day(self):
        """Ask about every payment whenever it is due; how often, and in how many minutes."""
        began, asks = self.now, 0
        while not self.give_up():
            for receipt in self.unconfirmed():
                self.asked_of(receipt)
                asks += 1
            self.house.clock.passes(minutes=1)
        return asks, (self.now - began).total_seconds() / 60

    def payment_state(self, receipt):
        return self.house.bank.one(
            "SELECT state FROM paybill_payments WHERE receipt = :r", r=receipt
        )

    def reference_of(self, deposit):
        return self.house.bank.one("SELECT reference FROM deposits WHERE id = :d", d=deposit)

    # The book

    def balance(self, place, owner=None):
        with self.house.databases["worker"]() as session:
            path = place.named(Currency.KES, owner=owner and self.person(owner).id)
            try:
                return ledger.balance(session, path=path).minor
            except ledger.UnknownAccount:
                return 0

    def cases(self):
        with self.house.databases["worker"]() as session:
            return [(each.kind, each.subject, each.amount) for each in suspense.listed(session)]

    def told(self, someone):
        """Events that somebody is to be told of, in order."""
        return [
            row[0]
            for row in self.house.bank.rows(
                "SELECT event FROM outbox WHERE msisdn = :m ORDER BY id", m=someone.phone.msisdn
            )
        ]


@contextmanager
def opened(house):
    """A rail; after every test the accounts are what the rows say."""
    rail = Rail(house)
    yield rail
    held = house.bank.one("SELECT coalesce(sum(held), 0) FROM withdrawals")
    on_held = house.bank.one(
        "SELECT coalesce(sum(balance), 0) FROM accounts WHERE path LIKE 'user:%:held:%'"
    )
    assert held == on_held, "what is set aside"
    open_ = house.bank.one(
        "SELECT coalesce(sum(amount), 0) FROM suspense_cases WHERE state <> 'closed'"
    )
    assert rail.balance(chart.MPESA_SUSPENSE) == open_, "what stands in suspense"
    underway = house.bank.one(
        "SELECT coalesce(sum(w.amount), 0) FROM withdrawals w JOIN journals j"
        " ON j.key = concat_ws(':', 'withdrawal', w.id, 'send') WHERE w.held > 0"
    )
    assert rail.balance(chart.MPESA_UNDERWAY) == -underway, "float that is under way"
    looked = reconciliation.whole(house.databases["worker"], clock=house.clock)
    assert not looked.opened, looked.opened
