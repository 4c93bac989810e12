"""
C2B: registration, validation and its deadline, confirmations, what is said of the payer.
"""

from __future__ import annotations

import hashlib
import time
from decimal import Decimal

import pytest
import requests
from flask import Response
from merchant import MSISDN, SHORTCODE
from standin import until


@pytest.fixture
def registered(merchant):
    register(merchant)
    return merchant


def register(merchant, version="v2", on_silence="Completed", **more) -> requests.Response:
    body = {
        "ShortCode": SHORTCODE,
        "ResponseType": on_silence,
        "ConfirmationURL": f"{merchant.ears_url}/told",
        "ValidationURL": f"{merchant.ears_url}/asked",
    }
    return merchant.post(f"/mpesa/c2b/{version}/registerurl", body | more)


def pay(merchant, amount="250", account="0712000001") -> str:
    answer = requests.post(
        f"{merchant.url}/daraja/pay",
        json={"from": "0708374149", "account": account, "amount": amount},
        timeout=5,
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["receipt"]


def fate(merchant, receipt: str) -> str:
    """Wait until a payment is over, and tell how it ended."""
    return until(
        lambda: (
            merchant.control("GET", "transactions", receipt=receipt)[0]["code"]
            and merchant.control("GET", "transactions", receipt=receipt)[0]["status"]
        )
    )


class TestRegistration:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("ShortCode", "999999"),
            ("ShortCode", "x"),
            ("ResponseType", "completed"),
            ("ConfirmationURL", "https://kabambe.co.ke/mpesa"),
            ("ValidationURL", ""),
        ],
    )
    def test_refuses_a_field_by_its_name(self, merchant, field, value):
        answer = register(merchant, **{field: value})

        assert answer.status_code == 400
        assert answer.json()["errorMessage"] == f"Bad Request - Invalid {field}"

    def test_may_be_for_once(self, merchant):
        merchant.terms(register_once=True)
        assert register(merchant).status_code == 200
        answer = register(merchant)

        assert answer.status_code == 500
        assert answer.json()["errorCode"] == "500.003.1001"
        assert answer.json()["errorMessage"] == "Urls are already registered"
        merchant.terms(register_once=False)
        assert register(merchant).status_code == 200

    def test_is_forgotten_when_a_door_says_so(self, registered):
        registered.control("DELETE", "urls")
        assert fate(registered, pay(registered)) == "Completed"
        assert registered.control("GET", "callbacks") == []


class TestPayment:
    def test_is_asked_about_and_told(self, registered):
        before = registered.utility()
        receipt = pay(registered)

        asked, told = registered.ears.one("asked").body, registered.ears.one("told").body
        assert asked["TransID"] == told["TransID"] == receipt
        assert (asked["TransAmount"], told["TransAmount"]) == ("250.00", "250.00")
        assert (asked["OrgAccountBalance"], told["OrgAccountBalance"]) == ("", "5000250.00")
        assert told["BillRefNumber"] == "0712000001"
        assert told["MSISDN"] == "2547 ***** 149"
        assert Decimal(registered.utility()) - Decimal(before) == 250

    def test_says_the_hash_of_the_payer_in_the_first_version(self, merchant):
        register(merchant, "v1")
        pay(merchant)

        told = merchant.ears.one("told").body
        assert told["MSISDN"] == hashlib.sha256(MSISDN.encode()).hexdigest()

    def test_is_not_asked_about_where_that_is_not_agreed(self, registered):
        registered.terms(validation=False)
        pay(registered)

        registered.ears.one("told")
        assert registered.ears.now("asked") == []

    def test_of_a_shortcode_without_addresses_is_told_to_nobody(self, merchant):
        assert fate(merchant, pay(merchant)) == "Completed"
        assert merchant.ears.heard == []

    @pytest.mark.parametrize("code", ["C2B00011", "C2B00012", "C2B00013", "C2B00016"])
    def test_may_be_rejected(self, registered, code):
        registered.ears.answer = lambda _: {"ResultCode": code, "ResultDesc": "Rejected"}
        before = registered.utility()

        assert fate(registered, pay(registered)) == "Cancelled"
        assert registered.utility() == before
        assert registered.phone()["balance"] == "50000.00"
        assert registered.ears.now("told") == []

    def test_echoes_what_we_call_it(self, registered):
        registered.ears.answer = lambda _: {"ResultCode": "0", "ThirdPartyTransID": "V42"}
        pay(registered)

        assert registered.ears.one("asked").body["ThirdPartyTransID"] == ""
        assert registered.ears.one("told").body["ThirdPartyTransID"] == "V42"

    @pytest.mark.parametrize(
        ("on_silence", "ends"), [("Completed", "Completed"), ("Cancelled", "Cancelled")]
    )
    @pytest.mark.parametrize(
        "answer",
        [
            lambda: ("", 500),
            lambda: ("<html>", 200),
            lambda: ("[]", 200),
            lambda: ({"ResultDesc": "Accepted"}, 200),
            lambda: ("", 302, {"Location": "/told"}),
            lambda: time.sleep(0.3) or {"ResultCode": "C2B00016"},
            lambda: Response((time.sleep(0.05) or b" " for _ in range(20)), 200),
        ],
        ids=["500", "html", "array", "no code", "redirect", "late", "dripping"],
    )
    def test_when_nobody_answers_well_ends_as_was_registered(
        self, merchant, on_silence, ends, answer
    ):
        register(merchant, on_silence=on_silence)
        merchant.terms(validation_seconds=0.15)
        merchant.ears.answer = lambda path: answer() if path == "asked" else ""

        assert fate(merchant, pay(merchant)) == ends

    def test_nobody_pays_what_they_do_not_have(self, registered):
        registered.phone(balance="10")

        assert fate(registered, pay(registered)) == "Declined"
        assert registered.ears.now("told") == []

    @pytest.mark.parametrize("amount", ["", "0", "-1", "1.001", "x", "NaN"])
    def test_of_no_amount_is_none(self, merchant, amount):
        answer = requests.post(
            f"{merchant.url}/daraja/pay",
            json={"from": "0708374149", "account": "1", "amount": amount},
            timeout=5,
        )

        assert answer.status_code == 400

    def test_may_have_cents(self, registered):
        pay(registered, "5.50")

        assert registered.ears.one("told").body["TransAmount"] == "5.50"


class TestByPrompt:
    def test_is_confirmed_too_under_the_same_receipt(self, registered):
        registered.answer(registered.pushed(), pin="1234")

        told = registered.ears.one("told").body
        assert told["TransID"] == registered.ears.one("stk").items["MpesaReceiptNumber"]
        assert told["BillRefNumber"] == "D0001"
        assert registered.ears.now("asked") == []
        assert registered.control("GET", "totals")["c2b"]["count"] == 1

    def test_a_confirmation_may_be_lost_or_doubled(self, registered):
        registered.spoil(on="confirmation", callback={"kind": "lost"})
        registered.spoil(on="confirmation", callback={"kind": "twice"})
        registered.answer(registered.pushed(), pin="1234")
        registered.ears.one("stk")
        registered.answer(registered.pushed(amount=7), pin="1234")

        told = registered.ears.at("told", 2)
        assert [each.body["TransAmount"] for each in told] == ["7.00", "7.00"]


def test_money_goes_where_it_is_agreed_to_be_collected(registered):
    registered.terms(collects_in="Working Account")
    pay(registered)

    assert registered.ears.one("told").body["OrgAccountBalance"] == "250.00"
    accounts = registered.control("GET", f"accounts/{SHORTCODE}")
    assert (accounts["Working Account"], accounts["Utility Account"]) == ("250.00", "5000000.00")
