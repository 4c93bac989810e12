"""A shop by its owner's app: how it is called, what it was paid, and its takings."""

from __future__ import annotations

import pyotp
import pytest
from app import App, kes
from rail import STAFF, Rail

from core import resolutions
from core.money import kes as kes_minor
from gateway.api import merchants as doors


def paid(app, till, amount):
    body = {"till": till, "amount": kes(amount), "pin": "4071"}
    return app.posts("/payments", body).json["reference"]


def test_a_shop_is_called_as_its_owner_until_it_is_called_otherwise(otieno_s, till):
    shop = otieno_s.gets("/merchants/me").json
    assert (shop["till"], shop["name"], shop["settled_daily"]) == (till, "Otieno", False)
    changed = otieno_s.asks(
        "PATCH",
        "/merchants/me",
        json={
            "name": "duka la otieno",
            "category": "groceries",
            "contact": "0733 000 002",
            "settled_daily": True,
        },
    )
    assert changed.json | {"opened_at": ""} == {
        "till": till,
        "name": "Duka La Otieno",
        "category": "groceries",
        "contact": "+254733000002",
        "settled_daily": True,
        "opened_at": "",
    }
    assert otieno_s.gets("/merchants/me").json == changed.json


def test_it_cannot_be_called_what_the_house_is_called(otieno_s, till):
    otieno_s.asks("PATCH", "/merchants/me", json={"name": "Kabambe Support"})
    otieno_s.is_refused(422, "invalid-name")
    otieno_s.asks("PATCH", "/merchants/me", json={"contact": "ring me"})
    otieno_s.is_refused(422, "invalid-msisdn")


def test_who_has_no_till_has_no_shop(wanjiru_s):
    for path in ("/merchants/me", "/merchants/me/payments"):
        wanjiru_s.gets(path)
        wanjiru_s.is_refused(404, "no-till")


def test_payments_are_listed_with_what_was_given_back(wanjiru_s, otieno_s, till):
    first, second = paid(wanjiru_s, till, "100"), paid(wanjiru_s, till, "200")
    wanjiru_s.posts("/transfers", {"to": "0733000002", "amount": kes("50"), "pin": "4071"})
    otieno_s.posts("/refunds", {"payment": first, "amount": kes("40"), "pin": "4071"})
    shown = otieno_s.gets("/merchants/me/payments").json
    told = [(each["reference"], each["refunded"]["value"]) for each in shown["payments"]]
    assert told == [(second, "0.00"), (first, "40.00")]
    newest = shown["payments"][0]
    assert (newest["amount"], newest["fee"]) == (kes("200.00"), kes("1.00"))
    assert (newest["refundable"], newest["other"]["name"]) == (kes("200.00"), "Wanjiru")


def test_they_go_on_page_by_page_and_by_their_days(house, wanjiru_s, otieno_s, till):
    references = [paid(wanjiru_s, till, amount) for amount in ("10", "20", "30")]
    page = otieno_s.gets("/merchants/me/payments?limit=2").json
    rest = otieno_s.gets(f"/merchants/me/payments?limit=2&cursor={page['next']}").json
    listed = [each["reference"] for each in page["payments"] + rest["payments"]]
    assert listed == references[::-1]
    assert otieno_s.gets("/merchants/me/payments?until=2026-11-21").json["payments"] == []
    assert len(otieno_s.gets("/merchants/me/payments?since=2026-11-21").json["payments"]) == 3


class TestFromMpesa:
    """A till paid straight from M-Pesa: by a prompt, and to the paybill."""

    @pytest.fixture
    def rail(self, house):
        return Rail(house)

    def test_both_are_listed_among_the_others(self, rail, wanjiru_s, otieno, otieno_s, till):
        from_account = paid(wanjiru_s, till, "100")
        prompted = rail.prompt(otieno, 300_00, payer="+254799000007", purpose="till")
        rail.settle(prompted, "NLJ7RT61SV")
        rail.pay("RKL51ZDR4F", f"{till[:3]} {till[3:]}", 400_00)
        shown = otieno_s.gets("/merchants/me/payments").json["payments"]
        told = [(each["method"], each["receipt"], each["amount"]["value"]) for each in shown]
        assert told == [
            ("mpesa", "RKL51ZDR4F", "400.00"),
            ("mpesa", "NLJ7RT61SV", "300.00"),
            (None, None, "100.00"),
        ]
        assert [each["kind"] for each in shown] == ["deposit", "deposit", "payment"]
        assert [each["reference"] for each in shown[1:]] == [
            rail.reference_of(prompted),
            from_account,
        ]
        assert [each["refundable"]["value"] for each in shown] == ["0.00", "0.00", "100.00"]
        page = otieno_s.gets("/merchants/me/payments?limit=2").json
        rest = otieno_s.gets(f"/merchants/me/payments?limit=2&cursor={page['next']}").json
        assert page["payments"] + rest["payments"] == shown

    def test_what_is_their_own_is_not(self, rail, otieno, otieno_s, till):
        rail.settle(rail.prompt(otieno, 300_00), "NLJ7RT61SV")
        rail.pay("RKL51ZDR4F", otieno.phone.msisdn, 400_00)
        asked = rail.prompt(otieno, 500_00, payer="+254799000007", purpose="till")
        rail.fail(asked)
        assert otieno_s.gets("/merchants/me/payments").json["payments"] == []

    def test_each_shop_sees_its_own(self, rail, wanjiru, wanjiru_s, otieno_s, till):
        rail.open_till(wanjiru)
        rail.pay("RKL51ZDR4G", till, 600_00)
        assert wanjiru_s.gets("/merchants/me/payments").json["payments"] == []
        assert len(otieno_s.gets("/merchants/me/payments").json["payments"]) == 1

    def test_what_staff_credited_as_it_was_asked_is(self, rail, otieno, otieno_s, till):
        deposit = rail.prompt(otieno, 300_00, payer="+254799000007", purpose="till")
        rail.settle(deposit, "NLJ7RT61SV", told=kes_minor(299_00), confirmed=True)
        assert otieno_s.gets("/merchants/me/payments").json["payments"] == []
        other = rail.prompt(otieno, 200_00, payer="+254799000008", purpose="till")
        rail.settle(other, "NLJ7RT61SW", payer="+254799000009", confirmed=True)
        for case, _amount in enumerate(rail.cases(), start=1):
            credit(rail, otieno, case)
        shown = otieno_s.gets("/merchants/me/payments").json["payments"]
        told = [(each["kind"], each["amount"]["value"], each["reference"]) for each in shown]
        assert told == [("resolution", "200.00", rail.reference_of(other))]

    def test_one_is_shown_and_not_given_back(self, rail, wanjiru_s, otieno, otieno_s, till):
        rail.settle(rail.prompt(otieno, 300_00, payer="+254799000007", purpose="till"), "NLJ7")
        reference = otieno_s.gets("/merchants/me/payments").json["payments"][0]["reference"]
        shown = otieno_s.gets(f"/merchants/me/payments/{reference}").json
        assert shown == {
            "reference": reference,
            "amount": kes("300.00"),
            "refunded": kes("0.00"),
            "refundable": kes("0.00"),
            "reversed": False,
        }
        wanjiru_s.gets(f"/merchants/me/payments/{reference}")
        wanjiru_s.is_refused(404, "no-such-payment")
        otieno_s.posts("/refunds", {"payment": reference, "amount": kes("1"), "pin": "4071"})
        otieno_s.is_refused(404, "no-such-payment")


def credit(rail, someone, case):
    person = rail.person(someone)
    rail.worker(
        lambda session: resolutions.credit(
            session, case=case, person=person, actor=STAFF, note="it is theirs", now=rail.now
        )
    )


def test_takings_go_to_their_own_mpesa(house, wanjiru_s, otieno_s, otieno, till):
    Rail(house).fund()
    paid(wanjiru_s, till, "1000")
    quoted = otieno_s.posts("/merchants/me/settlements/quote").json
    assert 900 < float(quoted["amount"]["value"]) < 995
    settled = otieno_s.posts("/merchants/me/settlements", {"pin": "4071"})
    assert (settled.status_code, settled.json["kind"]) == (201, "withdrawal")
    assert house.bank.one("SELECT purpose FROM withdrawals") == "settlement"
    again = otieno_s.posts("/merchants/me/settlements", {"pin": "4071"})
    assert again.status_code == 409


def test_takings_that_are_much_want_the_second_factor(house, wanjiru_s, otieno_s, otieno, till):
    Rail(house).fund()
    paid(wanjiru_s, till, "1000")
    step = int(house.clock().timestamp()) // 30
    factor = pyotp.TOTP(otieno_s.posts("/totp", {"pin": "4071"}).json["secret"])
    otieno_s.posts("/totp/confirm", {"code": factor.generate_otp(step)})
    with house.limited(second_factor_above=500) as client:
        app = App(client, otieno_s.bearer)
        app.posts("/merchants/me/settlements", {"pin": "4071"})
        app.is_refused(403, "second-factor-needed")
        body = {"pin": "4071", "totp": factor.generate_otp(step + 1)}
        settled = app.posts("/merchants/me/settlements", body, key="settlement-1")
        assert settled.status_code == 201
        again = app.posts("/merchants/me/settlements", body, key="settlement-1")
        assert (again.status_code, again.json) == (201, settled.json)


def test_what_comes_in_meanwhile_is_not_taken_along(house, wanjiru_s, otieno_s, till, monkeypatch):
    Rail(house).fund()
    paid(wanjiru_s, till, "1000")
    confirmed = doors.confirm_much

    def slowly(*given):
        confirmed(*given)
        house.bank.give_more("+254733000002", "5000", now=house.clock())

    monkeypatch.setattr(doors, "confirm_much", slowly)
    assert otieno_s.posts("/merchants/me/settlements", {"pin": "4071"}).status_code == 201
    assert house.bank.one("SELECT amount FROM withdrawals") < 995_00
