"""The watch over the book, the cases it raises, and what staff do with them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from compliance import JANE, JOHN, Office, entry
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import cases, holds, reports, reversals, watch
from core.cases import CaseClosed, UnknownCase
from core.decisions import NoReason
from core.ledger import Draft, Reason, post
from core.money import Currency, Money, kes
from core.orders import Kind

HERS, HIS = "+254712000001", "+254733000002"


@pytest.fixture
def office(house):
    return Office(house)


@pytest.fixture
def two(office):
    """Somebody who may send much, and somebody to send it to."""
    payer = office.register(HERS, name="Wanjiru", kind="merchant")
    paid = office.register(HIS, name="Otieno", kind="merchant")
    office.fund(payer, kes(4_000_000_00))
    return payer, paid


def structured(office, payer, paid, *, count=3, amount=240_000, hours=1):
    for _ in range(count):
        assert office.send(payer, paid, kes(amount * 100)) == "done"
        office.house.clock.passes(hours=hours)


def evidence(office, case=1, kind="movement"):
    with office.house.databases["worker"]() as session:
        return [each for each in cases.facts(session, case=case) if each.kind == kind]


class TestStructuring:
    def test_three_just_under_the_limit_raise_a_case_with_their_references(self, office, two):
        structured(office, *two)
        assert office.look() == 4  # and the money to begin with
        assert office.cases() == [("structuring", two[0], "open")]
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
        assert office.cases() == []

    def test_the_fee_does_not_hide_it(self, office, two):
        structured(office, *two, amount=249_999)  # with the fee more than the limit
        office.look()
        assert office.cases() == [("structuring", two[0], "open")]

    def test_other_currencies_count_by_their_equivalent(self, office, two):
        payer, paid = two
        office.fund(payer, Money(20_000_00, Currency.USD))
        for _ in range(3):
            assert office.send(payer, paid, Money(1_850_00, Currency.USD)) == "done"
        office.look()
        assert office.cases() == [("structuring", payer, "open")]
        assert evidence(office)[0].evidence["currency"] == "USD"

    def test_payments_count_as_transfers_do(self, office, two):
        payer, paid = two
        for _ in range(3):
            assert office.send(payer, paid, kes(240_000_00), kind=Kind.PAYMENT) == "done"
        office.look()
        assert office.cases() == [("structuring", payer, "open")]

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
        assert office.cases() == [("structuring", two[0], "open")]

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
        assert office.cases() == [("velocity", mule, "open")]
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
        assert office.cases() == [("velocity", mule, "open")]

    def test_too_many_in_an_hour(self, office):
        pending = office.register(HERS, tier="pending")
        other = office.register(HIS)
        office.fund(pending, kes(10_000_00))
        for _ in range(20):
            assert office.send(pending, other, kes(10_00)) == "done"
        office.look()
        assert office.cases() == [("velocity", pending, "open")]

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
        assert office.cases() == []


class TestOnce:
    def test_looking_again_adds_nothing(self, office, two):
        structured(office, *two)
        office.look()
        office.house.bank.run("UPDATE watches SET journal_id = 0")
        assert office.look() == 4
        assert len(office.cases()) == 1
        assert len(evidence(office)) == 3

    def test_more_of_the_same_goes_to_the_case_that_is_open(self, office, two):
        structured(office, *two)
        office.look()
        structured(office, *two, count=1)
        office.look()
        assert office.cases() == [("structuring", two[0], "open")]
        assert len(evidence(office)) == 4

    def test_another_day_is_another_case(self, office, two):
        structured(office, *two)
        office.look()
        office.house.clock.passes(days=3)
        structured(office, *two)
        office.look()
        assert office.cases() == [("structuring", two[0], "open")] * 2
        assert [len(evidence(office, case)) for case in (1, 2)] == [3, 3]

    def test_closed_it_is_not_opened_by_what_it_knew_but_by_more(self, office, two):
        structured(office, *two)
        office.look()
        office.do(cases.close, case=1, actor=JANE, note="A farm was bought")
        office.house.bank.run("UPDATE watches SET journal_id = 0")
        office.look()
        assert len(office.cases()) == 1
        structured(office, *two, count=1)
        office.look()
        assert [case[2] for case in office.cases()] == ["closed", "open"]

    def test_many_workers_at_once_look_once(self, office, two):
        structured(office, *two)
        with ThreadPoolExecutor(6) as hands:
            looked = sum(hands.map(lambda _: office.do(watch.watch, journals_max=2), range(12)))
        looked += office.look(journals_max=2)
        assert looked == 4
        assert len(office.cases()) == 1

    def test_nobody_is_told_and_the_web_cannot_know(self, office, two):
        structured(office, *two)
        before = office.house.bank.one("SELECT count(*) FROM outbox")
        office.look()
        assert office.cases()
        assert office.house.bank.one("SELECT count(*) FROM outbox") == before
        said = " ".join(each["message"] for each in office.house.messages(HERS)).lower()
        assert "case" not in said
        assert "suspic" not in said

    def test_the_job_is_rung_for_by_itself(self, office, two):
        structured(office, *two)
        office.house.relay._swept_at = 0.0
        office.house.send_messages()
        assert office.cases() == [("structuring", two[0], "open")]


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
            assert office.cases() == []
            late.commit()
        late_id = office.house.bank.one("SELECT id FROM journals WHERE key = 'late'")
        assert late_id < max(ids.values())
        assert office.look() >= 2
        assert office.cases() == [("structuring", payer, "open")]
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
        assert len(office.cases()) == 1

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
        looked += office.look()
        assert looked == office.house.bank.one("SELECT count(*) FROM journals")

    def account(self, office, subscriber):
        return office.house.bank.one(
            "SELECT account_id FROM subscribers WHERE id = :i", i=subscriber
        )


class TestWhatStaffDo:
    @pytest.fixture
    def case(self, office, two):
        structured(office, *two)
        office.look()
        return 1

    def test_notes_and_closing_are_kept_for_ever(self, office, case):
        office.do(cases.note, case=case, actor=JANE, note="Called her")
        office.do(cases.note, case=case, actor=JOHN, note="She sells land")
        office.do(cases.close, case=case, actor=JOHN, note="Land it is")
        assert [fact.evidence["note"] for fact in evidence(office, kind="note")] == [
            "Called her",
            "She sells land",
        ]
        [row] = office.house.bank.rows("SELECT * FROM cases")
        assert (row.state, row.closed_by, row.note) == ("closed", "staff:john", "Land it is")
        for late in (cases.note, cases.close):
            with pytest.raises(CaseClosed):
                office.do(late, case=case, actor=JANE, note="x")
        lines = office.house.bank.rows(
            "SELECT action, actor FROM audit_log WHERE subject = 'case:1' ORDER BY id"
        )
        assert [tuple(line) for line in lines] == [
            ("case-opened", "system"),
            ("case-noted", "staff:jane"),
            ("case-noted", "staff:john"),
            ("case-closed", "staff:john"),
        ]

    def test_words_are_needed_and_a_case(self, office, case):
        for act in (cases.note, cases.close):
            with pytest.raises(NoReason):
                office.do(act, case=case, actor=JANE, note=" ")
            with pytest.raises(UnknownCase):
                office.do(act, case=case + 1, actor=JANE, note="x")

    @pytest.mark.parametrize(
        "change",
        ["UPDATE case_facts SET actor = 'x'", "DELETE FROM case_facts", "TRUNCATE case_facts"],
    )
    def test_facts_are_append_only_for_everybody(self, office, case, change):
        for role, why in (("worker", "permission denied"), ("owner", "append-only")):
            databases = office.house.databases[role]
            with pytest.raises(DBAPIError, match=why), databases.begin() as session:
                session.connection().exec_driver_sql(change)

    def test_closed_is_final_for_everybody(self, office, case):
        office.do(cases.close, case=case, actor=JANE, note="Done")
        with pytest.raises(DBAPIError, match="that is final"):
            office.house.bank.run("UPDATE cases SET note = 'x'")

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM cases",
            "UPDATE cases SET subscriber_id = 2",
            "UPDATE watch_rules SET amount = 1",
            "INSERT INTO watch_rules SELECT * FROM watch_rules",
            "DELETE FROM hits",
            "UPDATE sanction_loads SET digest = ''",
            "UPDATE subscribers SET msisdn = 'x'",
            "DELETE FROM lifts",
        ],
    )
    def test_a_worker_may_do_no_more_than_its_work(self, office, case, statement):
        databases = office.house.databases["worker"]
        with pytest.raises(DBAPIError, match="permission denied"), databases.begin() as session:
            session.connection().exec_driver_sql(statement)

    def test_they_are_listed_page_by_page(self, office, two, case):
        office.load(entry("1", "Otieno Bad", numbers=(HIS,)))
        office.screen()
        with office.house.databases["worker"]() as session:
            newest = cases.listed(session, count=1)
            assert [each.kind for each in newest] == ["sanctions"]
            rest = cases.listed(session, before=newest[0].id)
            assert [each.kind for each in rest] == ["structuring"]
            assert cases.listed(session, state="closed") == []


class TestReports:
    @pytest.fixture
    def case(self, office, two):
        office.show_papers(two[0], name="Jane Wanjiru Kamau")
        office.show_papers(two[1], name="Jane Wanjiru Kamau")
        structured(office, *two)
        office.look()
        office.do(cases.note, case=1, actor=JANE, note="Called her; she hung up")
        return 1

    def export(self, office, case, *, by=JOHN, reason="No honest purpose is known"):
        return office.do(reports.export, case=case, actor=by, reason=reason)

    def test_it_says_who_when_what_why_and_who_says_so(self, office, two, case):
        data = json.loads(self.export(office, case).as_json())
        assert data["report"] == "SAR-1-1"
        assert data["exported_by"] == "staff:john"
        subject = data["subject"]
        assert (subject["name"], subject["number"], subject["tier"]) == (
            "Wanjiru",
            HERS,
            "verified",
        )
        assert subject["papers"] == {
            "name": "Jane Wanjiru Kamau",
            "document": "national-id",
            "number_ends_in": "678",
            "born_on": "1990-01-31",
        }
        assert subject["others_with_the_same_document"] == [HIS]
        assert data["period"] == {
            "from": "2026-11-21T09:30:00+03:00",
            "to": "2026-11-21T11:30:00+03:00",
        }
        assert [each["amount"] for each in data["movements"]] == ["240000.00"] * 3
        assert data["movements"][0]["with"] == [{"name": "Otieno", "number": HIS}]
        assert data["totals"] == {"count": 3, "in_kes": "0.00", "out_kes": "720000.00"}
        assert data["rules"][0]["source"] == "Central Bank of Kenya, September 2023"
        assert [(each["by"], each["words"]) for each in data["narrative"]] == [
            ("staff:jane", "Called her; she hung up"),
            ("staff:john", "No honest purpose is known"),
        ]

    def test_people_can_read_it(self, office, case):
        said = self.export(office, case).as_text()
        for words in (
            "SUSPICIOUS ACTIVITY REPORT SAR-1-1",
            "Wanjiru, +254712000001",
            "Jane Wanjiru Kamau, born 1990-01-31, national-id ending in 678",
            "Rule transaction-limit (just-under): KES 250000.00, 3 or more",
            "3 movements, in KES 0.00, out KES 720000.00",
            "staff:jane: Called her; she hung up",
        ):
            assert words in said
        assert "12345678" not in said

    def test_each_export_is_kept_and_numbered(self, office, case):
        self.export(office, case)
        office.do(cases.close, case=case, actor=JANE, note="Reported")
        second = self.export(office, case, by=JANE)
        assert second.reference == "SAR-1-2"
        assert second.data["narrative"][-2]["words"] == "Reported"
        lines = office.house.bank.rows(
            "SELECT actor, detail FROM audit_log WHERE action = 'case-reported' ORDER BY id"
        )
        assert [(line.actor, line.detail["report"]) for line in lines] == [
            ("staff:john", "SAR-1-1"),
            ("staff:jane", "SAR-1-2"),
        ]

    def test_a_reason_is_needed_and_a_case(self, office, case):
        with pytest.raises(NoReason):
            self.export(office, case, reason="")
        with pytest.raises(UnknownCase):
            self.export(office, case + 1)
        assert evidence(office, kind="report") == []

    def test_a_hit_is_reported_with_its_entry(self, office, two):
        office.load(entry("Q7", "Somebody Bad", numbers=(HIS,)))
        office.screen()
        data = self.export(office, 1).data
        assert data["case"]["kind"] == "sanctions"
        assert [(each["list_id"], each["score"]) for each in data["list_entries"]] == [("Q7", 1.0)]
        assert "List un, entry Q7: Somebody Bad, by number" in self.export(office, 1).as_text()
