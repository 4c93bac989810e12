"""Each kind of journal, posted as the product posts it, is the table that docs/ledger.md shows."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from rail import Rail
from voucher_shop import Shop

from core import (
    debts,
    deposits,
    exchange,
    execution,
    hold_orders,
    holds,
    merchants,
    rails,
    rates,
    refunds,
    reversals,
    subscribers,
    transfers,
    withdrawals,
)
from core.audit import Actor
from core.ledger import Reason
from core.money import Currency, Money, kes
from core.orders import Kind
from core.rails import Pot, Provider
from core.rates import Rate
from sandbox import demo
from workers import ledger as ledger_jobs

JANE, JOHN = Actor("staff:jane", "desk", "r1"), Actor("staff:john", "desk", "r2")
DOC = (Path(__file__).resolve().parents[2] / "docs/ledger.md").read_text()
ROW = re.compile(r"\| `([^`]+:(\w+))` \| ([\u2212+])([0-9,]+\.[0-9]{2,8}) \|")


def tables() -> dict[str, list[dict[str, int]]]:
    """The journals of the page: minor units by account, for each table under a name."""
    journals = DOC.split("\n## Journals\n")[1].split("\n## ")[0]
    told = re.split(r"^\*\*([a-z-]+)\*\*", journals, flags=re.MULTILINE)[1:]
    found: dict[str, list[dict[str, int]]] = {}
    for name, words in zip(told[::2], told[1::2], strict=True):
        entries = {}
        for path, currency, sign, amount in ROW.findall(words):
            minor = Money.parse(amount.replace(",", ""), Currency[currency.upper()]).minor
            entries[path] = minor if sign == "+" else -minor
        assert len(entries) == words.count("\n| `"), f"{name}: a row that is not understood"
        found.setdefault(name, []).append(entries)
    return found


class Street:
    """Wanjiru and Otieno, the first and the second subscriber, and Amina."""

    def __init__(self, house) -> None:
        self.house = house
        self.wanjiru = house.register("+254712000001", name="Wanjiru", balance="10,000")
        self.otieno = house.register("+254733000002", name="Otieno")
        self.amina = house.register("+254711000003", name="Amina")

    def worker(self):
        return self.house.databases["worker"].begin()

    def execute(self) -> None:
        while execution.execute(self.house.databases["worker"], now=self.house.clock()):
            pass

    def send(self, sender, recipient, minor, *, kind=Kind.TRANSFER) -> str:
        now = self.house.clock()
        with self.worker() as session:
            person, other = (
                subscribers.recipient(session, msisdn=each.phone.msisdn)
                for each in (sender, recipient)
            )
            if kind is Kind.PAYMENT:
                merchants.open_till(session, subscriber=other.id, actor=JANE, now=now)
            quoted = transfers.quote(session, sender=person, amount=kes(minor), kind=kind, now=now)
            placed = transfers.order(
                session, sender=person, recipient=other.id, quoted=quoted, key=f"{minor}", now=now
            )
        self.execute()
        return placed.reference

    def hold(self) -> int:
        now = self.house.clock()
        with self.worker() as session:
            ends = now + timedelta(hours=1)
            amount = kes(300_00)
            return holds.place(
                session, owner=1, amount=amount, key="hold", expires_at=ends, now=now
            )

    def transfer(self) -> None:
        self.send(self.wanjiru, self.otieno, 500_00)

    def payment(self) -> None:
        self.send(self.wanjiru, self.otieno, 500_00, kind=Kind.PAYMENT)

    def capture(self) -> None:
        now = self.house.clock()
        with self.worker() as session:
            owner, shop = (
                subscribers.recipient(session, msisdn=each.phone.msisdn)
                for each in (self.wanjiru, self.otieno)
            )
            merchants.open_till(session, subscriber=shop.id, actor=JANE, now=now)
            placed = hold_orders.order(
                session, owner=owner, merchant=shop, amount=kes(300_00), days=1, key="h", now=now
            )
        self.execute()
        with self.worker() as session:
            hold_orders.take(
                session,
                merchant=shop.id,
                reference=placed.reference,
                amount=kes(200_00),
                key="c",
                now=now,
            )
        self.execute()

    def release(self) -> None:
        self.hold()
        self.house.clock.passes(hours=1)
        ledger_jobs.expire_holds()

    def exchange(self) -> None:
        now = self.house.clock()
        with self.worker() as session:
            # A middle price of 130, and half a percent for each currency besides.
            bid, ask = Decimal("128.7"), Decimal("131.3")
            rate = Rate(Currency.USD, Currency.KES, bid, ask, "test", now)
            rates.record(session, rates=[rate], now=now)
        with self.house.databases["web"].begin() as session:
            quoted = exchange.quote(
                session, subscriber=1, give=kes(1300_00), currency=Currency.USD, now=now
            )
            exchange.order(session, subscriber=1, quote=quoted.id, key="exchange", now=now)
        self.execute()

    def reversal(self) -> None:
        reference = self.send(self.wanjiru, self.otieno, 500_00)
        self.send(self.otieno, self.amina, 200_00, kind=Kind.PAYMENT)
        now = self.house.clock()
        with self.worker() as session:
            asked = reversals.request(
                session, subscriber=1, reference=reference, actor=JANE, reason="wrong", now=now
            )
            reversals.approve(session, reversal=asked, actor=JOHN, note="so it is", now=now)

    def repayment(self) -> None:
        self.reversal()
        self.send(self.wanjiru, self.otieno, 150_00)
        with self.worker() as session:
            debts.collect(
                session, subscriber=2, actor=JOHN, note="he has it", now=self.house.clock()
            )

    def vouchers(self) -> list[str]:
        self.house.clock.began = self.house.clock()
        return Shop(self.house).codes(self.wanjiru)

    def redemption(self) -> None:
        [code, *_] = self.vouchers()
        assert Shop(self.house).redeem(self.otieno, code) == "done"

    def refund(self) -> None:
        self.redemption()
        self.house.clock.passes(days=31)
        ledger_jobs.refund_vouchers()

    def deposit(self) -> None:
        rail = Rail(self.house)
        rail.settle(rail.prompt(self.wanjiru, 500_00))

    def suspense(self) -> None:
        Rail(self.house).pay("RKL51ZDR4F", "nobody", 300_00)

    def resolution(self) -> None:
        rail = Rail(self.house)
        rail.pay("RKL51ZDR4F", self.otieno.phone.msisdn, 300_00, confirmed=False)
        rail.confirm("RKL51ZDR4F", 300_00)

    def float(self) -> None:
        Rail(self.house).fund()

    def withdrawal(self) -> None:
        self.float()
        Rail(self.house).withdraw(self.wanjiru, 500_00)

    def sending(self) -> None:
        self.float()
        Rail(self.house).payout(self.wanjiru, 500_00)

    def payout(self) -> None:
        self.float()
        rail = Rail(self.house)
        rail.complete(rail.payout(self.wanjiru, 500_00))

    def bounce(self) -> None:
        self.float()
        rail = Rail(self.house)
        rail.bounce(rail.payout(self.wanjiru, 500_00))

    def cost(self) -> None:
        rail = Rail(self.house)
        now = rail.now
        rail.worker(
            lambda session: rails.move(
                session,
                amount=kes(1_000_00),
                source=Pot.BANK,
                target=Pot.UTILITY,
                key="lent",
                actor=JANE,
                note="float",
                now=now,
                provider=Provider.PAYSTACK,
            )
        )
        rail.worker(
            lambda session: deposits.book_cost(
                session, provider=Provider.PAYSTACK, key="deposit:1", cost=kes(15_00), now=now
            )
        )

    def returned(self) -> None:
        self.float()
        rail = Rail(self.house)
        back = rail.payout(self.wanjiru, 500_00)
        rail.complete(back)
        rail.worker(
            lambda session: withdrawals.returned(
                session, withdrawal=back, why="it says so", now=rail.now
            )
        )

    def payment_refund(self) -> None:
        reference = self.send(self.wanjiru, self.otieno, 500_00, kind=Kind.PAYMENT)
        now = self.house.clock()
        with self.house.databases["web"].begin() as session:
            found = refunds.payment(session, merchant=2, reference=reference)
            refunds.order(
                session, merchant=2, found=found, amount=kes(200_00), key="give-back", now=now
            )
        self.execute()

    def opening(self) -> None:
        """As the sandbox opens its people."""
        self.house.bank.empty()
        with self.house.databases["owner"].begin() as session:
            hasher, now = self.house.bank.hasher, self.house.clock()
            demo.open_people(session, hasher=hasher, now=now)


def test_every_kind_is_on_the_page_once():
    assert sorted(tables()) == sorted(Reason)
    assert all(len(each) == 1 for each in tables().values())


@pytest.mark.parametrize("reason", Reason)
def test_what_is_posted_is_what_the_page_shows(house, reason):
    wanted = "returned" if reason is Reason.RETURN else reason.value.replace("-", "_")
    getattr(Street(house), wanted)()
    journal = house.bank.one("SELECT min(id) FROM journals WHERE reason = :r", r=reason.value)
    posted = house.bank.rows(
        "SELECT a.path, e.amount FROM entries e JOIN accounts a ON a.id = e.account_id"
        " WHERE e.journal_id = :j",
        j=journal,
    )
    [shown] = tables()[reason.value]
    assert dict(posted) == shown
    assert len(posted) == len(shown)
