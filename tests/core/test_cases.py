"""Cases: what staff do with them, and the reports they export."""

from __future__ import annotations

import json

import pytest
from compliance import JANE, JOHN, Office, entry, evidence, structured
from sqlalchemy.exc import DBAPIError

from core import cases, reports
from core.cases import CaseClosed, UnknownCase
from core.decisions import NoReason
from core.money import kes

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
            assert [(each.kind, number) for each, number in newest] == [("sanctions", HIS)]
            rest = cases.listed(session, before=newest[0][0].id)
            assert [each.kind for each, _number in rest] == ["structuring"]
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

    def test_a_hit_is_reported_with_its_entry_and_what_they_moved_lately(self, office, two):
        assert office.send(*two, kes(700_00)) == "done"
        office.house.clock.passes(days=91)
        assert office.send(*two, kes(900_00)) == "done"
        office.load(entry("Q7", "Somebody Bad", numbers=(HIS,)))
        office.screen()
        data = self.export(office, 1).data
        assert data["case"]["kind"] == "sanctions"
        assert [(each["list_id"], each["score"]) for each in data["list_entries"]] == [("Q7", 1.0)]
        assert [(each["direction"], each["amount"]) for each in data["movements"]] == [
            ("in", "900.00")
        ]
        assert "List un, entry Q7: Somebody Bad, by number" in self.export(office, 1).as_text()
