"""What came of the town is compared with what was seen in it, and with Safaricom's book."""

from __future__ import annotations

from collections import Counter

import pytest
from handset import Handset
from mpesa_user import MpesaUser
from sqlalchemy import text

from bench import stack
from bench.town import books, mpesa_books
from bench.town.people import DEPOSIT, LANGUAGE_SET, WITHDRAWAL, Neighbour
from bench.town.safaricom import IN, OUT, Book, Safaricom
from core.orders import Kind
from core.subscribers import Language


class Day:
    """A day of Wanjiru's: she deposits, withdraws, and writes two SMS."""

    def __init__(self, house, wanjiru, otieno) -> None:
        self.house = house
        self.me = Neighbour(0, wanjiru.phone.msisdn, "63902", Language.KISWAHILI, name="Wanjiru")
        self.other = Neighbour(
            1, otieno.phone.msisdn, "63902", Language.ENGLISH, name="Otieno", pin=self.me.pin
        )
        mpesa = MpesaUser(house)
        mpesa.rail.fund()
        self.safaricom = Safaricom(house.safaricom.url.removesuffix("/daraja"))
        self.before = self.safaricom.book()
        wanjiru.phone.dial().types("5", "5", "1", "500", "1")
        mpesa.answers()
        wanjiru.phone.dial().types("5", "5", "2", "200", "4071")
        mpesa.answers()
        hers = Handset(house, self.me.msisdn)
        hers.writes("SEND 50 0733000002").news()
        hers.writes("LANG SW").news()
        self.me.ordered = Counter(
            {
                (DEPOSIT, 500_00): 1,
                (WITHDRAWAL, 200_00): 1,
                (Kind.TRANSFER, 50_00): 1,
                (LANGUAGE_SET, "sw"): 1,
                ("sms-language-set", 0): 1,
            }
        )

    @property
    def theirs(self) -> Book:
        """What Safaricom has moved today; its book is never emptied."""
        now, totals = self.safaricom.book(), {}
        for kind in (IN, OUT):
            (count, amount), (counted, before) = now.totals[kind], self.before.totals[kind]
            totals[kind] = (count - counted, amount - before)
        return Book(now.moved - self.before.moved, totals)

    @property
    def findings(self) -> list[str]:
        return books.compare(self.house.bank.owner, [self.me, self.other], self.theirs)

    def tamper(self, *statements: str) -> None:
        with self.house.bank.owner.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in statements:
                assert session.execute(text(statement)).rowcount > 0, statement


@pytest.fixture
def day(house, wanjiru, otieno):
    return Day(house, wanjiru, otieno)


def test_a_day_on_which_nothing_went_wrong(day):
    assert day.findings == []
    assert books.waiting(day.house.bank.owner) == 0


def test_a_deposit_that_is_credited_twice(day):
    """The book still balances, and every balance is that of its entries."""
    day.tamper(
        "INSERT INTO journals (key, reason, posted_at)"
        " SELECT 'twice', reason, posted_at FROM journals WHERE reason = 'deposit'",
        "INSERT INTO entries (account_id, version, journal_id, amount)"
        " SELECT e.account_id, e.version + 1000000, t.id, e.amount FROM entries e"
        " JOIN journals j ON j.id = e.journal_id AND j.reason = 'deposit' AND j.key <> 'twice'"
        " JOIN journals t ON t.key = 'twice'",
        "UPDATE accounts a SET balance = balance + e.amount FROM entries e"
        " JOIN journals j ON j.id = e.journal_id WHERE j.key = 'twice' AND e.account_id = a.id",
    )
    assert stack.balanced(day.house.bank.owner)
    assert day.findings == [
        "mpesa:paybill:kes moved by -100000, of c2b M-Pesa has 50000",
    ]


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE deposits SET amount = 60000", "M-Pesa moved what we have not: ('c2b'"),
        ("UPDATE deposits SET state = 'expired'", "saw done what was not: {('deposit', 50000): 1}"),
        ("UPDATE withdrawals SET state = 'failed', held = 0", "of b2c we have 0 of 0"),
        (
            "UPDATE deposits SET state = 'prompted'",
            "1 orders, letters or moves by M-Pesa are still",
        ),
        ("DELETE FROM outbox WHERE event = 'withdrawal-paid'", "has 0 receipts"),
        ("UPDATE outbox SET event = 'pin-changed' WHERE event = 'sms-language-set'", "did not ask"),
        ("UPDATE subscribers SET language = 'en'", "we do not have the language that is theirs"),
        (
            """UPDATE inbox SET form = '{"text": "BAL 4071"}' WHERE form ->> 'text' LIKE 'LANG%'""",
            "1 SMS were kept with a PIN in them",
        ),
    ],
)
def test_what_is_not_as_it_was_seen(day, statement, finding):
    day.tamper(statement)
    assert any(finding in each for each in day.findings), day.findings


def test_what_mpesa_moved_and_we_do_not_know_of(day):
    theirs = day.theirs
    theirs.moved[IN, "RECEIPT", day.me.msisdn, 100] += 1
    assert mpesa_books.compare(day.house.bank.owner, theirs) == [
        f"M-Pesa moved what we have not: ('c2b', 'RECEIPT', '{day.me.msisdn}', 100)"
    ]
