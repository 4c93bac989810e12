"""The watch over the book: what it raises, once, and that it passes nothing over."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from compliance import JANE, JOHN, Office, evidence, structured
from rail import opened
from sqlalchemy import text

from core import cases, deposits, holds, reversals, subscribers, watch
from core.deposits.settling import Came
from core.ledger import Draft, Reason, post
from core.money import Currency, Money, kes
from core.orders import Kind
from core.rails import Provider

HERS, HIS = "+254712000001", "+254733000002"


@pytest.fixture
def office(house):
    return Office(house)


def paid_in(house, amount, *, receipt):
    """Let her pay money in on Paystack's page, which keeps its fee."""
    now = house.clock()
    with house.databases["web"].begin() as session:
        person = subscribers.find(session, msisdn=HERS)
        quoted = deposits.quote_checkout(
            session, person=person, amount=amount, provider=Provider.PAYSTACK, now=now
        )
        made = deposits.expect_checkout(
            session, subscriber=person.id, quoted=quoted, key=receipt, now=now
        )
    with house.databases["worker"].begin() as session:
        page = deposits.begin_page(session, deposit=made.id, now=now)
        deposits.opened(
            session, deposit=page.id, rail_reference=page.rail_reference, url="https://x", now=now
        )
        came = deposits.paid(
            session,
            deposit=page.id,
            rail_reference=page.rail_reference,
            receipt=receipt,
            told=amount,
            cost=None,
            now=now,
        )
    assert came.came is Came.CREDITED


@pytest.fixture
def high_ceiling(house):
    """Let everybody hold much; limits are kept from test to test."""
    house.bank.run("UPDATE limits SET balance_max = balance_max * 100")
    yield
    house.bank.run("UPDATE limits SET balance_max = balance_max / 100")


@pytest.fixture
def two(office):
    """Somebody who may send much, and somebody to send it to."""
    payer = office.register(HERS, name="Wanjiru", kind="merchant")
    paid = office.register(HIS, name="Otieno", kind="merchant")
    office.fund(payer, kes(4_000_000_00))
    return payer, paid


class TestStructuring:
    def test_three_just_under_the_limit_raise_a_case_with_their_references(self, office, two):
        structured(office, *two)
        assert office.look() == 4  # and the money to begin with
        assert office.raised() == [("structuring", two[0], "open")]
        references = office.house.bank.rows("SELECT reference FROM orders ORDER BY id")
        told = [fact.evidence for fact in evidence(office)]
        assert [each["reference"] for each in told] == [row[0] for row in references]
        assert {each["cents_kes"] for each in told} == {240_000_00}
        assert {(each["direction"], *each["others"]) for each in told} == {("out", two[1])}
        [rule] = evidence(office, kind="rule")
        assert rule.evidence["rule"] == "transaction-limit"
        assert rule.evidence["source"] == "Central Bank of Kenya, September 2023"

    @pytest.mark.parametrize(
        "life",
        [
            {"count": 2},
            {"amount": 250_000},
            {"amount": 224_999},
            {"amount": 50_000, "count": 8, "hours": 3},
            {"hours": 12},
        ],
    )
    def test_what_is_not_that_raises_none(self, office, two, life):
        """Negative controls."""
        structured(office, *two, **life)
        office.look()
        assert office.raised() == []

    @pytest.mark.parametrize("tier", ["suspended", "rejected"])
    def test_stopped_before_the_watch_came_by_it_is_seen_all_the_same(self, office, two, tier):
        structured(office, *two)
        office.house.bank.run("UPDATE subscribers SET tier = :t WHERE id = :i", t=tier, i=two[0])
        office.look()
        assert office.raised() == [("structuring", two[0], "open")]

    def test_the_fee_does_not_hide_it(self, office, two):
        structured(office, *two, amount=249_999)  # with the fee more than the limit
        office.look()
        assert office.raised() == [("structuring", two[0], "open")]

    @pytest.mark.parametrize(("minor", "is_raised"), [(249_990_00, True), (224_990_00, False)])
    def test_nor_do_the_fee_and_the_tariff_of_a_payout(self, office, two, minor, is_raised):
        with opened(office.house) as rail:
            rail.fund(2_000_000_00)
            payer = SimpleNamespace(phone=SimpleNamespace(msisdn=HERS))
            for number in range(3):
                rail.complete(rail.payout(payer, minor), receipt=f"R{number:09}")
        office.look()
        assert office.raised() == [("structuring", two[0], "open")] * is_raised
        references = office.house.bank.rows("SELECT reference FROM withdrawals ORDER BY id")
        told = [fact.evidence for fact in evidence(office)] if is_raised else []
        assert [each["reference"] for each in told] == [row[0] for row in references] * is_raised
        assert {each["amount"] for each in told} == ({minor} if is_raised else set())

    @pytest.mark.parametrize(("minor", "is_raised"), [(64_500_00, True), (62_990_00, False)])
    def test_nor_does_the_fee_of_a_deposit(self, office, high_ceiling, minor, is_raised):
        """Of 64,500 a rail that keeps 2.9 % leaves less than nine tenths of 70,000."""
        hers = office.register(HERS, name="Wanjiru", tier="pending")
        for number in range(3):
            paid_in(office.house, kes(minor), receipt=f"R{number}")
        office.look()
        assert office.raised() == [("structuring", hers, "open")] * is_raised

    def test_other_currencies_count_by_their_equivalent(self, office, two):
        payer, paid = two
        office.fund(payer, Money(20_000_00, Currency.USD))
        for _ in range(3):
            assert office.send(payer, paid, Money(1_850_00, Currency.USD)) == "done"
        office.look()
        assert office.raised() == [("structuring", payer, "open")]
        assert evidence(office)[0].evidence["currency"] == "USD"

    def test_payments_count_as_transfers_do(self, office, two):
        payer, paid = two
        for _ in range(3):
            assert office.send(payer, paid, kes(240_000_00), kind=Kind.PAYMENT) == "done"
        office.look()
        assert office.raised() == [("structuring", payer, "open")]

    def test_a_new_threshold_is_a_row(self, office, two):
        office.house.bank.run(
            "INSERT INTO watch_rules VALUES ('test', 'merchant', 'verified', :at, 'just-under',"
            " 'a test', 'KES', 1000000, 9500, 3, 3600)",
            at=office.house.clock(),
        )
        try:
            structured(office, *two, amount=9_600, hours=0.1)
            office.look()
        finally:
            office.house.bank.run("DELETE FROM watch_rules WHERE name = 'test'")
        assert office.raised() == [("structuring", two[0], "open")]

    def test_the_reporting_threshold_is_kenyas(self, house):
        rows = house.bank.rows(
            "SELECT DISTINCT currency, amount FROM watch_rules WHERE name = 'reporting-threshold'"
        )
        assert [tuple(row) for row in rows] == [("USD", 15_000_00)]


class TestVelocity:
    def test_money_in_and_out_again_within_the_hour(self, office, two):
        payer, _ = two
        mule = office.register("+254711000003", name="Mule")
        last = office.register("+254711000004", name="Last")
        assert office.send(payer, mule, kes(150_000_00)) == "done"
        office.house.clock.passes(minutes=20)
        assert office.send(mule, last, kes(147_000_00)) == "done"
        office.look()
        assert office.raised() == [("velocity", mule, "open")]
        assert [fact.evidence["direction"] for fact in evidence(office)] == ["in", "out"]

    def test_held_money_that_is_captured_counts(self, office, two):
        payer, _ = two
        mule = office.register("+254711000003")
        last = office.register("+254711000004")
        office.send(payer, mule, kes(150_000_00))
        hold = office.do(
            holds.place,
            owner=mule,
            amount=kes(149_000_00),
            key="h",
            expires_at=office.house.clock().replace(year=2027),
        )
        to = office.house.bank.one("SELECT account_id FROM subscribers WHERE id = :i", i=last)
        office.do(holds.capture, hold=hold, to=to)
        office.look()
        assert office.raised() == [("velocity", mule, "open")]

    def test_too_many_in_an_hour(self, office):
        pending = office.register(HERS, tier="pending")
        other = office.register(HIS)
        office.fund(pending, kes(10_000_00))
        for _ in range(20):
            assert office.send(pending, other, kes(10_00)) == "done"
        office.look()
        assert office.raised() == [("velocity", pending, "open")]

    def test_what_was_reversed_or_given_is_no_movement(self, office, two):
        """Negative control."""
        payer, _ = two
        other = office.register("+254711000003")
        office.send(payer, other, kes(150_000_00))
        [(reference,)] = office.house.bank.rows("SELECT reference FROM orders")
        made = office.do(
            reversals.request, subscriber=payer, reference=reference, actor=JANE, reason="Wrong"
        )
        office.do(reversals.approve, reversal=made, actor=JOHN, note="So it is")
        office.look()
        assert office.raised() == []


class TestOnce:
    def test_looking_again_adds_nothing(self, office, two):
        structured(office, *two)
        office.look()
        office.house.bank.run("UPDATE watches SET journal_id = 0")
        assert office.look() == 4
        assert len(office.raised()) == 1
        assert len(evidence(office)) == 3

    def test_more_of_the_same_goes_to_the_case_that_is_open(self, office, two):
        structured(office, *two)
        office.look()
        structured(office, *two, count=1)
        office.look()
        assert office.raised() == [("structuring", two[0], "open")]
        assert len(evidence(office)) == 4

    def test_another_day_is_another_case(self, office, two):
        structured(office, *two)
        office.look()
        office.house.clock.passes(days=3)
        structured(office, *two)
        office.look()
        assert office.raised() == [("structuring", two[0], "open")] * 2
        assert [len(evidence(office, case)) for case in (1, 2)] == [3, 3]

    def test_closed_it_is_not_opened_by_what_it_knew_but_by_more(self, office, two):
        structured(office, *two)
        office.look()
        office.do(cases.close, case=1, actor=JANE, note="A farm was bought")
        office.house.bank.run("UPDATE watches SET journal_id = 0")
        office.look()
        assert len(office.raised()) == 1
        structured(office, *two, count=1)
        office.look()
        assert [case[2] for case in office.raised()] == ["closed", "open"]

    def test_many_workers_at_once_look_once(self, office, two):
        structured(office, *two)
        with ThreadPoolExecutor(6) as hands:
            looked = sum(hands.map(lambda _: office.do(watch.watch, journals_max=2), range(12)))
        looked += office.look(journals_max=2)
        assert looked == 4
        assert len(office.raised()) == 1

    def test_nobody_is_told_and_the_web_cannot_know(self, office, two):
        structured(office, *two)
        before = office.house.bank.one("SELECT count(*) FROM outbox")
        office.look()
        assert office.raised()
        assert office.house.bank.one("SELECT count(*) FROM outbox") == before
        said = " ".join(each["message"] for each in office.house.messages(HERS)).lower()
        assert "case" not in said
        assert "suspic" not in said

    def test_the_job_is_rung_for_by_itself(self, office, two):
        structured(office, *two)
        office.house.relay._swept_at = 0.0
        office.house.send_messages()
        assert office.raised() == [("structuring", two[0], "open")]


class TestLateCommits:
    def test_a_journal_that_commits_after_a_later_one_is_not_missed(self, office, two):
        """It took its id first, and commits last: a cursor by ids alone would have passed it."""
        payer, paid = two
        other = office.register("+254711000003")
        office.fund(other, kes(1_000_00))
        structured(office, payer, paid, count=2)
        office.look()
        late = office.house.databases["worker"]()
        mine = self.account(office, payer), self.account(office, paid)
        with ExitStack() as stack:
            stack.callback(late.close)
            legs = {mine[0]: -240_000_00, mine[1]: 240_000_00}
            draft = Draft("late", Reason.TRANSFER, legs, reference="TLATE")
            [posting] = post(late, drafts=[draft], now=office.house.clock())
            assert posting.is_posted
            last = office.register("+254711000005")
            assert office.send(other, last, kes(100_00)) == "done"
            ids = dict(office.house.bank.rows("SELECT key, id FROM journals"))
            assert office.look() == 0  # it waits
            assert office.raised() == []
            late.commit()
        late_id = office.house.bank.one("SELECT id FROM journals WHERE key = 'late'")
        assert late_id < max(ids.values())
        assert office.look() >= 2
        assert office.raised() == [("structuring", payer, "open")]
        assert "TLATE" in {fact.evidence["reference"] for fact in evidence(office)}

    def test_one_that_is_undone_is_not_waited_for(self, office, two):
        payer, paid = two
        gone = office.house.databases["worker"]()
        legs = {self.account(office, payer): -1_00, self.account(office, paid): 1_00}
        post(gone, drafts=[Draft("gone", Reason.TRANSFER, legs)], now=office.house.clock())
        gone.rollback()
        gone.close()
        structured(office, payer, paid)
        office.look()
        assert len(office.raised()) == 1

    def test_under_load_everything_is_looked_at_once(self, office, two):
        """Journals committed in any order by many at once, while the watch goes on."""
        people = [office.register(f"+2547110000{n:02}") for n in range(8)]
        for each in people:
            office.fund(each, kes(1_000_00))
        ids = [self.account(office, each) for each in people]

        def pay(number):
            payer, paid = ids[number % 8], ids[(number + 1) % 8]
            with office.house.databases["worker"].begin() as session:
                draft = Draft(f"load:{number}", Reason.TRANSFER, {payer: -1_00, paid: 1_00})
                post(session, drafts=[draft], now=office.house.clock())
                if number % 3 == 0:
                    session.execute(text("SELECT pg_sleep(0.02)"))

        looked = 0
        with ThreadPoolExecutor(6) as hands:
            paying = [hands.submit(pay, number) for number in range(150)]
            while not all(each.done() for each in paying):
                looked += office.do(watch.watch, journals_max=7)
        for each in paying:
            each.result()
        deadline = time.monotonic() + 20  # PostgreSQL's own transactions are waited for, too
        written = office.house.bank.one("SELECT count(*) FROM journals")
        while looked < written and time.monotonic() < deadline:
            looked += office.look()
        assert looked == written
        assert office.look() == 0

    def test_a_lot_that_ends_where_the_last_look_did_is_gone_on_from(self, office, two):
        structured(office, *two)  # four journals with the one to begin with
        assert office.do(watch.watch, journals_max=4) == 4
        structured(office, *two, count=1)
        assert office.do(watch.watch, journals_max=4) == 1

    def account(self, office, subscriber):
        return office.house.bank.one(
            "SELECT account_id FROM subscribers WHERE id = :i", i=subscriber
        )
