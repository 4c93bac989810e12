"""The half of a rail that pays out, and what staff decide."""

from __future__ import annotations

import hashlib

from core import (
    execution,
    inquiries,
    limits,
    rails,
    resolutions,
    suspense,
    withdrawals,
)
from core.audit import Actor
from core.money import kes
from core.rails import Pot, Provider

STAFF = Actor("staff:jane", "127.0.0.1", "r1")
MPESA = Provider.MPESA


def token(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


class Payouts:
    """What goes out; `rail.Rail` has the rest."""

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

    def known(self, withdrawal):
        self.worker(lambda session: withdrawals.known(session, withdrawal=withdrawal))

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

    def ask_back(self, case):
        name = token(f"r{case}:{next(self.keys)}")
        return self.worker(
            lambda session: inquiries.ask(
                session,
                kind=inquiries.Kind.REVERSAL,
                subject=f"reversal:{case}",
                token_hash=name,
                now=self.now,
            )
        )

    def answered_back(self, inquiry, *, is_refused):
        def answered(session):
            inquiries.answer(session, inquiry=inquiry, now=self.now)
            if is_refused:
                inquiries.refused(session, inquiry=inquiry, why="R000002")

        self.worker(answered)

    def return_failed(self, case):
        return self.worker(
            lambda session: resolutions.return_failed(
                session, case=case, why="R000002", now=self.now
            )
        )
