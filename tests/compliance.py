"""What tests of limits, papers, lists and cases have in common."""

from __future__ import annotations

from datetime import date

from sqlalchemy import text

from core import (
    cases,
    chart,
    kyc,
    ledger,
    merchants,
    sanctions,
    screening,
    subscribers,
    transfers,
    watch,
)
from core.audit import Actor
from core.kyc import Papers
from core.ledger import Draft, Reason
from core.money import Currency, kes
from core.orders import Kind
from core.sanctions import Entry

JANE = Actor("staff:jane", "desk", "r1")
JOHN = Actor("staff:john", "desk", "r2")


class Office:
    """Staff, the jobs, and people who send each other money."""

    def __init__(self, house) -> None:
        self.house = house
        self._keys = 0

    def do(self, work, *, role="worker", **arguments):
        with self.house.databases[role].begin() as session:
            return work(session, now=self.house.clock(), **arguments)

    def register(self, number, *, name="Somebody", tier="verified", kind="personal"):
        """As a door does: the trigger and the default tier are what decide."""
        with self.house.databases["web"].begin() as session:
            made = subscribers.register(
                session,
                msisdn=number,
                name=name,
                language=subscribers.Language.ENGLISH,
                terms_version="test",
                now=self.house.clock(),
            )
        if kind == "merchant":
            self.do(merchants.open_till, subscriber=made, actor=JANE)
        self.house.bank.run("UPDATE subscribers SET tier = :t WHERE id = :i", t=tier, i=made)
        return made

    def fund(self, subscriber, money):
        """Money from nowhere."""
        self._keys += 1
        with self.house.bank.owner.begin() as session:
            cash = chart.SANDBOX_CASH.open(session, currency=money.currency)
            account = chart.MAIN.open(session, currency=money.currency, owner=subscriber)
            legs = {cash: -money.minor, account: money.minor}
            draft = Draft(f"fund:{self._keys}", Reason.OPENING, legs)
            [posting] = ledger.post(session, drafts=[draft], now=self.house.clock())
            assert posting.is_posted

    def spend_all(self, subscriber):
        """Money to nowhere."""
        self._keys += 1
        with self.house.bank.owner.begin() as session:
            cash = chart.SANDBOX_CASH.open(session, currency=Currency.KES)
            account = chart.MAIN.open(session, currency=Currency.KES, owner=subscriber)
            path = chart.MAIN.named(Currency.KES, owner=subscriber)
            held = ledger.balance(session, path=path).minor
            legs = {account: -held, cash: held}
            draft = Draft(f"fund:{self._keys}", Reason.OPENING, legs)
            [posting] = ledger.post(session, drafts=[draft], now=self.house.clock())
            assert posting.is_posted

    def send(self, sender, recipient, money, *, kind=Kind.TRANSFER):
        """Order and execute, unasked what the quote would have said; the code of the outcome."""
        self._keys += 1
        with self.house.databases["web"].begin() as session:
            fee = session.scalar(
                text("SELECT fee(:k, :c, :a, :n)"),
                {
                    "k": kind.value,
                    "c": money.currency.value,
                    "a": money.minor,
                    "n": self.house.clock(),
                },
            )
            msisdn = session.scalar(
                text("SELECT msisdn FROM subscribers WHERE id = :i"), {"i": sender}
            )
            person = subscribers.recipient(session, msisdn=msisdn)
            quoted = transfers.Quote(money, type(money)(fee, money.currency), kind)
            placed = transfers.order(
                session,
                sender=person,
                recipient=recipient,
                quoted=quoted,
                key=f"test:{self._keys}",
                now=self.house.clock(),
            )
        self.house.ring()
        [(state, outcome)] = self.house.bank.rows(
            "SELECT state, outcome FROM orders WHERE id = :i", i=placed.id
        )
        return "done" if state == "done" else outcome["code"]

    def load(self, *entries, source="un", by=JANE):
        return self.do(sanctions.load, source=source, entries=entries, actor=by)

    def screen(self):
        while self.do(screening.screen_new) or self.do(screening.rescreen):
            pass

    def look(self, **arguments):
        total = 0
        while done := self.do(watch.watch, **arguments):
            total += done
        return total

    def show_papers(self, subscriber, *, name="Jane Wanjiru Kamau", number="12345678", born=None):
        papers = Papers.read(
            name=name,
            document="national-id",
            number=number,
            born_on=born or "1990-01-31",
            today=date(2026, 11, 21),
        )
        self.do(kyc.submit, subscriber=subscriber, papers=papers, pepper="pepper", actor=JANE)

    def raised(self):
        return [
            tuple(row)
            for row in self.house.bank.rows(
                "SELECT kind, subscriber_id, state FROM cases ORDER BY id"
            )
        ]

    def standing(self, subscriber):
        return self.house.bank.one("SELECT screening FROM subscribers WHERE id = :i", i=subscriber)

    def id_of(self, person):
        return self.house.bank.one(
            "SELECT id FROM subscribers WHERE msisdn = :m", m=person.phone.msisdn
        )


def entry(list_id, name, **also):
    return Entry(list_id, name, **also)


def shillings(amount):
    return kes(round(amount * 100))


def structured(office, payer, paid, *, count=3, amount=240_000, hours=1):
    for _ in range(count):
        assert office.send(payer, paid, kes(amount * 100)) == "done"
        office.house.clock.passes(hours=hours)


def evidence(office, case=1, kind="movement"):
    with office.house.databases["worker"]() as session:
        return [each for each in cases.facts(session, case=case) if each.kind == kind]
