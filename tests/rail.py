"""What comes in and goes out over a rail, as tests act it: the hop, the hand and the provider."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from itertools import count

from core import (
    chart,
    deposits,
    execution,
    ledger,
    limits,
    merchants,
    paybill,
    rails,
    reconciliation,
    resolutions,
    subscribers,
    suspense,
    withdrawals,
)
from core.audit import Actor
from core.db import transact
from core.money import Currency, kes
from core.rails import Pot, Provider
from core.subscribers import Tier

STAFF = Actor("staff:jane", "127.0.0.1", "r1")
MPESA = Provider.MPESA


def token(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


class Rail:
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

    def payment_state(self, receipt):
        return self.house.bank.one(
            "SELECT state FROM paybill_payments WHERE receipt = :r", r=receipt
        )

    def reference_of(self, deposit):
        return self.house.bank.one("SELECT reference FROM deposits WHERE id = :d", d=deposit)

    # Withdrawals

    def fund(self, minor=100_000_00, key="start"):
        self.worker(
            lambda session: rails.move(
                session,
                amount=kes(minor),
                source=Pot.BANK,
                target=Pot.UTILITY,
                key=key,
                actor=STAFF,
                note="float",
                now=self.now,
            )
        )

    def move(self, minor, source, target):
        self.worker(
            lambda session: rails.move(
                session,
                amount=kes(minor),
                source=source,
                target=target,
                key=f"m{next(self.keys)}",
                actor=STAFF,
                note="seen",
                now=self.now,
            )
        )

    def spent(self, someone):
        """What they may still send this month."""
        with self.house.databases["worker"]() as session:
            person = self.person(someone).id
            return limits.allowance(session, subscriber=person, now=self.now).this_month.minor

    def by_token(self, name):
        with self.house.databases["web"]() as session:
            return withdrawals.by_token(session, token_hash=token(name))

    def order(self, someone, minor=500_00, *, key=None):
        person = self.person(someone)
        key = key or f"w{next(self.keys)}"

        def place(session):
            quoted = withdrawals.quote(session, person=person, amount=kes(minor), now=self.now)
            return withdrawals.order(
                session, person=person, payee=person.msisdn, quoted=quoted, key=key, now=self.now
            )

        return self.web(place).id

    def execute(self):
        while execution.execute(self.house.databases["worker"], now=self.now):
            pass

    def withdraw(self, someone, minor=500_00, *, key=None):
        """A withdrawal whose money is set aside."""
        order = self.order(someone, minor, key=key)
        self.execute()
        return self.house.bank.one("SELECT id FROM withdrawals WHERE order_id = :o", o=order)

    def send(self, withdrawal, name=None):
        hashed = token(name or f"w{withdrawal}:{next(self.keys)}")
        return self.worker(
            lambda session: withdrawals.begin(
                session, withdrawal=withdrawal, token_hash=hashed, now=self.now
            )
        )

    def sent(self, withdrawal, ref="AG_1"):
        self.worker(
            lambda session: withdrawals.sent(
                session, withdrawal=withdrawal, provider_ref=ref, now=self.now
            )
        )

    def payout(self, someone, minor=500_00, **more):
        """A withdrawal that the provider has taken."""
        withdrawal = self.withdraw(someone, minor, **more)
        assert self.send(withdrawal) is not None
        self.sent(withdrawal, ref=f"AG_{withdrawal}")
        return withdrawal

    def complete(self, withdrawal, receipt="SG632NMUAB", **more):
        return self.worker(
            lambda session: withdrawals.complete(
                session,
                withdrawal=withdrawal,
                receipt=receipt,
                told=more.pop("told", None),
                now=self.now,
                **more,
            )
        )

    def bounce(self, withdrawal, code="2040", **more):
        return self.worker(
            lambda session: withdrawals.fail(
                session, withdrawal=withdrawal, code=code, why="it says so", now=self.now, **more
            )
        )

    def withdrawal_state(self, withdrawal):
        return self.house.bank.one("SELECT state FROM withdrawals WHERE id = :w", w=withdrawal)

    def begin_only(self, someone, minor=500_00):
        """A withdrawal that is just being sent."""
        withdrawal = self.withdraw(someone, minor)
        assert self.send(withdrawal) is not None
        return withdrawal

    def unsure_of(self, withdrawal):
        self.worker(
            lambda session: withdrawals.unsure(
                session, withdrawal=withdrawal, why="no answer", now=self.now
            )
        )

    def postpone(self, withdrawal, until):
        self.worker(
            lambda session: withdrawals.postpone(
                session, withdrawal=withdrawal, until=until, why="throttled"
            )
        )

    def refuse(self, withdrawal, code="400.002.02"):
        return self.worker(
            lambda session: withdrawals.rejected(
                session, withdrawal=withdrawal, code=code, why="it says so", now=self.now
            )
        )

    def not_found(self, withdrawal):
        self.worker(
            lambda session: withdrawals.not_found(session, withdrawal=withdrawal, now=self.now)
        )

    def payouts_due(self):
        with self.house.databases["worker"]() as session:
            return withdrawals.due(session, now=self.now, withdrawals_max=10)

    def payouts_doubtful(self):
        with self.house.databases["worker"]() as session:
            found = withdrawals.doubtful(session, now=self.now, withdrawals_max=10)
        return [each.id for each in found]

    def sweep_payouts(self):
        return self.worker(lambda session: withdrawals.sweep(session, now=self.now))

    def tell_delayed(self):
        return self.worker(lambda session: withdrawals.tell_delayed(session, now=self.now))

    def tell_float(self, minor):
        self.worker(
            lambda session: rails.tell_balance(
                session, provider=MPESA, account=Pot.UTILITY, available=kes(minor), now=self.now
            )
        )

    def break_off(self, code="2001", until=None):
        return self.worker(
            lambda session: rails.open_breaker(
                session, provider=MPESA, code=code, why="w", until=until, now=self.now
            )
        )

    def mend(self):
        self.worker(
            lambda session: rails.close_breaker(
                session, provider=MPESA, actor=STAFF, note="new password", now=self.now
            )
        )

    # What staff decide

    def case(self):
        with self.house.databases["worker"]() as session:
            [found] = suspense.listed(session)
            return found.id

    def decide(self, decision, **more):
        """Let staff decide about the one case there is."""
        case = more.pop("case", None) or self.case()
        return self.worker(
            lambda session: getattr(resolutions, decision)(
                session, case=case, actor=STAFF, note="seen", now=self.now, **more
            )
        )

    def returned(self, case):
        return self.worker(lambda session: resolutions.returned(session, case=case, now=self.now))

    def return_failed(self, case):
        self.worker(
            lambda session: resolutions.return_failed(
                session, case=case, why="R000002", now=self.now
            )
        )

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
