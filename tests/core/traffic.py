"""
Everything that moves money, at random, through the product's own functions: a book of all kinds.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from voucher_shop import PRESS

from core import (
    chart,
    debts,
    exchange,
    execution,
    hold_orders,
    holds,
    ledger,
    merchants,
    rates,
    refunds,
    reversals,
    transfers,
    voucher_batches,
    vouchers,
)
from core.audit import Actor
from core.errors import DomainError
from core.ledger import Draft, Reason
from core.money import Currency, Money, kes
from core.orders import Kind
from core.rates import Rate
from core.subscribers import recipient

JANE = Actor("staff:jane", "desk", "r1")
OTTO = Actor("staff:otto", "desk", "r2")


@dataclass
class Traffic:
    """Some people and a shop; `step` lets one of them do something."""

    house: object
    msisdns: list[str]

    @classmethod
    def open(cls, house, people: int = 6) -> Traffic:
        msisdns = [f"+2547120001{number:02}" for number in range(people)]
        for msisdn in msisdns:
            house.register(msisdn, name="Anna", balance="20,000")
        traffic = cls(house, msisdns)
        now = house.clock()
        with house.databases["worker"].begin() as session:
            owner = recipient(session, msisdn=msisdns[0]).id
            merchants.open_till(session, subscriber=owner, actor=JANE, now=now)
            told = Rate(Currency.USD, Currency.KES, Decimal(129), Decimal(130), "test", now)
            rates.record(session, rates=[told], now=now)
        return traffic

    def steps(self, count: int, *, seed: int) -> None:
        """Do so many random things, and execute what is left over."""
        chance = random.Random(seed)
        for number in range(count):
            with suppress(DomainError):
                self.step(chance, f"{seed}:{number}")
        self.execute()

    def step(self, chance: random.Random, key: str) -> None:
        what = chance.choice(
            [self.transfer] * 5
            + [self.pay, self.exchange, self.hold, self.resolve, self.reverse]
            + [self.execute] * 2
            + [self.roll_up]
        )
        what(chance, key)

    def web(self):
        return self.house.databases["web"].begin()

    def worker(self):
        return self.house.databases["worker"].begin()

    def execute(self, *_: object) -> None:
        while execution.execute(self.house.databases["worker"], now=self.house.clock()):
            pass

    def roll_up(self, *_: object) -> None:
        with self.worker() as session:
            ledger.roll_up(session, entries_max=5)

    def transfer(self, chance, key, *, kind=Kind.TRANSFER) -> None:
        sender, other = chance.sample(self.msisdns[1:], 2)
        if kind is Kind.PAYMENT:
            other = self.msisdns[0]
        currency = chance.choice([Currency.KES, Currency.KES, Currency.USD])
        amount = Money(
            chance.randint(1_00, 3000_00 if currency is Currency.KES else 20_00), currency
        )
        now = self.house.clock()
        with self.web() as session:
            person = recipient(session, msisdn=sender)
            quoted = transfers.quote(session, sender=person, amount=amount, kind=kind, now=now)
            target = recipient(session, msisdn=other).id
            transfers.order(
                session, sender=person, recipient=target, quoted=quoted, key=key, now=now
            )

    def pay(self, chance, key) -> None:
        self.transfer(chance, key, kind=Kind.PAYMENT)

    def exchange(self, chance, key) -> None:
        give, get = Currency.KES, Currency.USD
        if chance.random() < 0.3:
            give, get = get, give
        amount = Money(chance.randint(1_00, 2000_00), give)
        now = self.house.clock()
        with self.web() as session:
            owner = recipient(session, msisdn=chance.choice(self.msisdns)).id
            quoted = exchange.quote(session, subscriber=owner, give=amount, currency=get, now=now)
            exchange.order(session, subscriber=owner, quote=quoted.id, key=key, now=now)

    def hold(self, chance, key) -> None:
        with self.web() as session:
            hold_orders.order(
                session,
                owner=recipient(session, msisdn=chance.choice(self.msisdns[1:])),
                merchant=recipient(session, msisdn=self.msisdns[0]),
                amount=kes(chance.randint(1_00, 500_00)),
                days=1,
                key=key,
                now=self.house.clock(),
            )

    def resolve(self, chance, key) -> None:
        open_ = self.house.bank.rows(
            "SELECT reference, amount FROM holds WHERE state = 'open' ORDER BY id LIMIT 5"
        )
        if not open_:
            return
        reference, amount = chance.choice(open_)
        now = self.house.clock()
        with self.web() as session:
            shop = recipient(session, msisdn=self.msisdns[0]).id
            if chance.random() < 0.4:
                hold_orders.give_back(session, merchant=shop, reference=reference, key=key, now=now)
            else:
                part = chance.choice([None, kes(chance.randint(1, amount))])
                hold_orders.take(
                    session, merchant=shop, reference=reference, amount=part, key=key, now=now
                )

    def reverse(self, chance, key) -> None:
        now = self.house.clock()
        done = self.house.bank.rows(
            "SELECT reference, subscriber_id FROM orders WHERE state = 'done'"
            " AND kind IN ('transfer', 'payment') ORDER BY id DESC LIMIT 10"
        )
        if not done:
            return
        reference, owner = chance.choice(done)
        with self.web() as session:
            id_ = reversals.request(
                session, subscriber=owner, reference=reference, actor=JANE, reason="oops", now=now
            )
        decision = chance.choice([reversals.approve, reversals.approve, reversals.decline])
        with self.worker() as session:
            decision(session, reversal=id_, actor=OTTO, note="so be it", now=now)

    def send(self, sender: str, target: str, minor: int, *, key: str) -> str:
        """Have one send another shillings; the transfer's reference."""
        now = self.house.clock()
        with self.web() as session:
            person = recipient(session, msisdn=sender)
            quoted = transfers.quote(session, sender=person, amount=kes(minor), now=now)
            target_id = recipient(session, msisdn=target).id
            placed = transfers.order(
                session, sender=person, recipient=target_id, quoted=quoted, key=key, now=now
            )
        self.execute()
        return placed.reference

    def leave_a_refusal(self) -> None:
        """Have somebody order twice what they hold once."""
        rich, now = "+254712000198", self.house.clock()
        self.house.register(rich, name="Rich", balance="100")
        with self.web() as session:
            person = recipient(session, msisdn=rich)
            target = recipient(session, msisdn=self.msisdns[0]).id
            quoted = transfers.quote(session, sender=person, amount=kes(80_00), now=now)
            for key in ("first", "second"):
                transfers.order(
                    session, sender=person, recipient=target, quoted=quoted, key=key, now=now
                )
        self.execute()

    def leave_a_debt(self) -> None:
        """Have a transfer reversed that its receiver has spent."""
        poor, now = "+254712000199", self.house.clock()
        self.house.register(poor, name="Poor")
        for sender in self.msisdns[1:]:
            with suppress(DomainError):
                reference = self.send(sender, poor, 100_00, key=f"gift:{sender}")
                break
        self.send(poor, self.msisdns[0], 60_00, key="spent")
        with self.worker() as session:
            owner = recipient(session, msisdn=sender).id
            id_ = reversals.request(
                session, subscriber=owner, reference=reference, actor=JANE, reason="x", now=now
            )
            reversals.approve(session, reversal=id_, actor=OTTO, note="y", now=now)
        # Some of it comes back.
        self.send(self.msisdns[0], poor, 20_00, key="earned")
        with self.worker() as session:
            owner = recipient(session, msisdn=poor).id
            assert debts.collect(session, subscriber=owner, actor=JANE, note="z", now=now)

    def leave_a_refund(self) -> None:
        """Somebody pays at the shop, and has a part of it back."""
        now = self.house.clock()
        with self.web() as session:
            payer = recipient(session, msisdn=self.msisdns[1])
            shop = recipient(session, msisdn=self.msisdns[0]).id
            quoted = transfers.quote(
                session, sender=payer, amount=kes(50_00), kind=Kind.PAYMENT, now=now
            )
            paid = transfers.order(
                session, sender=payer, recipient=shop, quoted=quoted, key="to-refund", now=now
            )
        self.execute()
        with self.web() as session:
            found = refunds.payment(session, merchant=shop, reference=paid.reference)
            refunds.order(
                session, merchant=shop, found=found, amount=kes(20_00), key="a-refund", now=now
            )
        self.execute()

    def leave_a_hold_for_its_owner(self) -> None:
        """Have a part of a hold captured for whom it is of."""
        now = self.house.clock()
        with self.worker() as session:
            owner = recipient(session, msisdn=self.msisdns[0])
            until = now + timedelta(hours=1)
            hold = holds.place(
                session, owner=owner.id, amount=kes(9_00), key="own", expires_at=until, now=now
            )
            holds.capture(session, hold=hold, to=owner.account_id, amount=kes(4_00), now=now)

    def leave_vouchers(self) -> None:
        """Issue vouchers for the house and for somebody, redeem some, and give some back."""
        now, codes = self.house.clock(), {}
        with self.worker() as session:
            for key, who in (("house", None), ("hers", self.msisdns[1])):
                made = voucher_batches.issue(
                    session,
                    issuer=who and recipient(session, msisdn=who),
                    count=4,
                    value=kes(50_00),
                    expires_at=now + timedelta(days=9),
                    key=key,
                    press=PRESS,
                    actor=JANE,
                    now=now,
                )
                printed = voucher_batches.print_all(
                    session, batch=made, press=PRESS, actor=JANE, now=now
                )
                codes[key] = [each.code for each in printed]
            voucher_batches.cancel(session, batch=made, actor=JANE, note="changed mind", now=now)
        with self.web() as session:
            person = recipient(session, msisdn=self.msisdns[2])
            found = vouchers.find(
                session,
                person=person,
                typed=codes["house"][0],
                veil=PRESS.veil,
                actor=JANE,
                now=now,
            )
            vouchers.order(session, subscriber=person.id, found=found, key="redeemed", now=now)
        self.execute()
        with self.worker() as session:
            voucher_batches.refund(session, now=now, vouchers_max=3)
        with self.worker() as session:
            voucher_batches.refund(session, now=now)

    def give_dollars(self) -> None:
        """Dollars for everybody, from nowhere."""
        with self.house.bank.owner.begin() as session:
            cash = chart.SANDBOX_CASH.open(session, currency=Currency.USD)
            for msisdn in self.msisdns:
                owner = recipient(session, msisdn=msisdn).id
                theirs = chart.MAIN.open(session, currency=Currency.USD, owner=owner)
                draft = Draft(f"usd:{msisdn}", Reason.OPENING, {cash: -50_00, theirs: 50_00})
                ledger.post(session, drafts=[draft], now=self.house.clock())
