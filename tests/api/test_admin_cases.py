"""Staff look at cases, say something of them, report and close them; the audit log is read."""

from __future__ import annotations

import pytest
from colleague import Colleague, logged_in
from compliance import Office, structured

from core.money import kes


@pytest.fixture
def kamau(house) -> Colleague:
    return logged_in(house, "kamau")


@pytest.fixture
def case(house) -> int:
    office = Office(house)
    payer = office.register("+254712000001", name="Wanjiru", kind="merchant")
    paid = office.register("+254733000002", name="Otieno", kind="merchant")
    office.fund(payer, kes(4_000_000_00))
    structured(office, payer, paid)
    office.look()
    return 1


def test_a_case_is_seen_noted_reported_and_closed(house, case, kamau):
    [listed] = kamau.gets("/admin/cases").json["cases"]
    assert (listed["case"], listed["kind"]) == (case, "structuring")
    kamau.decides(f"/cases/{case}/note", note="called her")
    whole = kamau.gets(f"/admin/cases/{case}").json
    assert ("staff:kamau", {"note": "called her"}) in [
        (fact["by"], fact["evidence"]) for fact in whole["facts"]
    ]
    report = kamau.decides(f"/cases/{case}/report", note="it is what it is")["report"]
    assert (report["report"], report["exported_by"]) == (f"SAR-{case}-1", "staff:kamau")
    kamau.decides(f"/cases/{case}/close", note="reported")
    assert kamau.gets("/admin/cases").json == {"cases": [], "next": None}
    [closed] = kamau.gets("/admin/cases?state=closed").json["cases"]
    assert (closed["closed_by"], closed["note"]) == ("staff:kamau", "reported")
    kamau.posts(f"/admin/cases/{case}/note", {"note": "late"})
    kamau.is_refused(409, "case-closed")
    kamau.gets("/admin/cases/99")
    kamau.is_refused(404, "unknown-case")

    asked = {"subject": f"case:{case}", "limit": "2"}
    first = kamau.gets("/admin/audit-log", query_string=asked).json
    rest = kamau.gets("/admin/audit-log", query_string=asked | {"cursor": first["next"]}).json
    actions = [line["action"] for line in first["records"] + rest["records"]]
    assert actions == ["case-closed", "case-reported", "looked-at", "case-noted"]
    mine = {"actor": "staff:kamau", "action": "case-closed"}
    [line] = kamau.gets("/admin/audit-log", query_string=mine).json["records"]
    assert (line["origin"], line["detail"]) == ("api", {"note": "reported"})


def test_who_is_suspended_in_the_course_of_a_case_is_not_told(house, case, kamau):
    kamau.decides("/people/+254712000001/suspension", note="see the case", case=case)
    said = "SELECT count(*) FROM outbox WHERE event = 'tier-set'"
    assert house.bank.one(said) == 0
    kamau.decides("/people/+254733000002/suspension", note="not of a case")
    assert house.bank.one(said) == 1
