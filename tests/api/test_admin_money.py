"""Staff decide about money: reversals by two, what is in suspense, and what stops payouts."""

from __future__ import annotations

import pytest
from app import App, kes
from colleague import Colleague, logged_in
from rail import opened

from core import chart, rails
from core.rails import Provider


@pytest.fixture
def kamau(house) -> Colleague:
    return logged_in(house, "kamau")


@pytest.fixture
def amina_s(house) -> Colleague:
    return logged_in(house, "amina")


def actors(house, like):
    return [
        tuple(line)
        for line in house.bank.rows(
            "SELECT actor, action FROM audit_log WHERE action LIKE :like ORDER BY id", like=like
        )
    ]


def sent(app: App) -> str:
    send = {"to": "+254733000002", "amount": kes("10.00"), "pin": "4071"}
    return str(app.posts("/transfers", send).json["reference"])


def test_a_reversal_is_asked_for_by_one_and_decided_by_another(house, kamau, amina_s, wanjiru_s):
    house.register("+254733000002", name="Otieno")
    reference = sent(wanjiru_s)
    asked = {"number": "+254712000001", "reference": reference, "note": "wrong number"}
    made = kamau.decides("/reversals", **asked)["made"]
    [waiting] = amina_s.gets("/admin/reversals").json["reversals"]
    assert (waiting["reversal"], waiting["reference"]) == (made, reference)
    assert (waiting["amount"], waiting["requested_by"]) == (kes("10.00"), "staff:kamau")
    kamau.posts(f"/admin/reversals/{made}/approval", {"note": "mine"})
    kamau.is_refused(403, "own-request")
    assert house.bank.balance_of("+254733000002") == 10_00
    amina_s.decides(f"/reversals/{made}/approval", note="so it was")
    assert house.bank.balance_of("+254733000002") == 0
    amina_s.posts(f"/admin/reversals/{made}/refusal", {"note": "no"})
    amina_s.is_refused(409, "already-decided")
    assert actors(house, "reversal%") == [
        ("staff:kamau", "reversal-requested"),
        ("staff:amina", "reversal-approved"),
    ]


def test_no_money_moves_while_the_logs_tail_is_lost_and_the_rest_goes_on(
    house, kamau, amina_s, wanjiru_s, monkeypatch
):
    house.register("+254733000002", name="Otieno")
    asked = {"number": "+254712000001", "reference": sent(wanjiru_s), "note": "wrong number"}
    made = kamau.decides("/reversals", **asked)["made"]
    monkeypatch.setattr("gateway.api.acting.WAIT_SECONDS_MAX", 0.0)
    monkeypatch.setattr("core.seal.Anchor.holds", lambda _anchor, _session: False)
    answer = amina_s.posts(f"/admin/reversals/{made}/approval", {"note": "so it was"})
    assert answer.status_code == 202
    amina_s.decides("/people/+254733000002/suspension", note="meanwhile")
    monkeypatch.undo()
    house.ring_staff()
    assert amina_s.gets(answer.headers["Location"]).json["state"] == "done"


def test_what_nobody_can_place_is_given_to_whom_it_belongs(house, kamau, wanjiru):
    with opened(house) as rail:
        rail.pay("RKL51ZDR4F", "nobody", 500_00)
        [case] = kamau.gets("/admin/suspense").json["cases"]
        assert (case["kind"], case["amount"]) == ("unknown-account", kes("500.00"))
        whole = kamau.gets(f"/admin/suspense/{case['case']}").json
        assert whole["evidence"]
        kamau.posts(f"/admin/suspense/{case['case']}/dismiss", {"note": "x"})
        kamau.is_refused(409, "still-suspended")
        before = house.bank.balance_of("+254712000001")
        credit = {"number": "0712000001", "note": "she called"}
        kamau.decides(f"/suspense/{case['case']}/credit", **credit)
        assert house.bank.balance_of("+254712000001") == before + 500_00
        assert rail.balance(chart.MPESA_SUSPENSE) == 0
        assert kamau.gets("/admin/suspense").json == {"cases": [], "next": None}
        kamau.posts(f"/admin/suspense/{case['case']}/strike", {"note": "x"})
        kamau.is_refused(409, "suspense-closed")
    assert actors(house, "suspense%") == [("staff:kamau", "suspense-credited")]


def test_what_stops_payouts_is_shown_and_closed(house, kamau, wanjiru):
    with house.databases["worker"].begin() as session:
        rails.open_breaker(
            session, provider=Provider.MPESA, code="1", why="no float", now=house.clock()
        )
    shown = kamau.gets("/admin/rails/mpesa").json
    assert (shown["breaker"]["code"], shown["rows"]) == ("1", [])
    kamau.decides("/rails/mpesa/breaker/close", note="there is some again")
    assert kamau.gets("/admin/rails/mpesa").json["breaker"] is None
    kamau.posts("/admin/rails/mpesa/breaker/close", {"note": "again"})
    kamau.is_refused(404, "breaker-closed")
    kamau.gets("/admin/rails/pigeons")
    kamau.is_refused(404, "not-here")
    assert actors(house, "breaker%") == [("staff:kamau", "breaker-closed")]


def test_what_is_under_way_is_shown(house, kamau, wanjiru):
    with opened(house) as rail:
        rail.prompt(wanjiru, 500_00)
        [row] = kamau.gets("/admin/rails/mpesa").json["rows"]
    assert (row["what"], row["state"], row["amount"]) == ("deposit", "prompted", kes("500.00"))
