"""
The fake Safaricom says things in the shape of the bodies that the documentation prints.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from merchant import MSISDN, PAYER, SHORTCODE
from standin import until

PRINTED = Path(__file__).resolve().parents[1] / "payloads" / "daraja"


def printed(name: str):
    return json.loads((PRINTED / f"{name}.json").read_text(), parse_float=Decimal)


def shape(value):
    """Names, kinds of values and nesting; parameters by their keys, in whatever order."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in sorted(value.items())}
    if isinstance(value, list):
        keyed = [each for each in value if isinstance(each, dict) and {"Key", "Name"} & set(each)]
        if keyed and len(keyed) == len(value):
            return sorted(
                (each.get("Key") or each["Name"], type(each.get("Value")).__name__)
                for each in value
            )
        return [shape(each) for each in value[:1]]
    return type(value).__name__


def heard(told) -> object:
    return json.loads(told.raw, parse_float=Decimal)


def posted(merchant, path, name, **more):
    """Send a printed request with the login of this sandbox; the answer must be good."""
    body = printed(name)
    for field in ("ResultURL", "QueueTimeOutURL", "CallBackURL", "ConfirmationURL"):
        if field in body:
            body[field] = f"{merchant.ears_url}/told"
    if "ValidationURL" in body:
        body["ValidationURL"] = f"{merchant.ears_url}/asked"
    if "SecurityCredential" in body:
        body["SecurityCredential"] = merchant.credential()
    if "Initiator" in body:
        body["Initiator"] = "testapi"
    if "Password" in body:
        body |= merchant.password()
    answer = merchant.post(path, body | more)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.content, parse_float=Decimal)


def test_the_token(merchant):
    said = merchant.login().json()

    assert re.fullmatch(r"\w{28}", said["access_token"])
    assert said["expires_in"] == "3599"  # a number in the documentation, and a string on the wire
    assert set(said) == set(printed("token"))


def test_a_prompt_its_end_and_the_query(merchant):
    said = posted(merchant, "/mpesa/stkpush/v1/processrequest", "stk_request")
    assert shape(said) == shape(printed("stk_accepted"))

    merchant.answer(said["CheckoutRequestID"], pin="1234")
    assert shape(heard(merchant.ears.one("told"))) == shape(printed("stk_paid"))
    again = posted(
        merchant,
        "/mpesa/stkpushquery/v1/query",
        "query_request",
        CheckoutRequestID=said["CheckoutRequestID"],
    )
    assert shape(again) == shape(printed("query_paid"))


def test_a_cancelled_prompt(merchant):
    merchant.answer(merchant.pushed(), cancel=True)

    told = heard(merchant.ears.one("stk"))
    assert shape(told) == shape(printed("stk_cancelled"))
    assert told["Body"]["stkCallback"]["ResultDesc"] == "Request cancelled by user"


def test_the_paybill(merchant):
    more = {"ShortCode": SHORTCODE}
    said = posted(merchant, "/mpesa/c2b/v2/registerurl", "register_request", **more)
    assert shape(said) == shape(printed("registered"))
    said = posted(merchant, "/mpesa/c2b/v2/simulate", "simulate_request", **more)
    assert shape(said) == shape(printed("registered"))
    assert shape(heard(merchant.ears.one("asked"))) == shape(printed("c2b"))
    assert shape(heard(merchant.ears.one("told"))) == shape(printed("c2b"))


def test_a_payout_that_is_paid(merchant):
    said = posted(merchant, "/mpesa/b2c/v3/paymentrequest", "b2c_request")
    assert shape(said) == shape(printed("b2c_accepted"))

    assert shape(heard(merchant.ears.one("told"))) == shape(printed("b2c_paid"))


def test_a_payout_that_fails(merchant):
    posted(merchant, "/mpesa/b2c/v3/paymentrequest", "b2c_request", InitiatorName="nobody")

    told = heard(merchant.ears.one("told"))
    assert shape(told) == shape(printed("b2c_failed"))
    assert told["Result"]["ResultCode"] == 2001
    assert told["Result"]["ResultDesc"] == printed("b2c_failed")["Result"]["ResultDesc"]


def test_the_refusals(merchant):
    merchant.b2c("p_1")
    duplicate = merchant.b2c("p_1")
    assert shape(duplicate.json()) == shape(printed("duplicate"))
    assert duplicate.json()["errorMessage"] == printed("duplicate")["errorMessage"]
    invalid = merchant.stk(BusinessShortCode="x").json()
    assert {**invalid, "requestId": ""} == {**printed("invalid_field"), "requestId": ""}


def test_the_status_of_a_payout(merchant):
    merchant.terms(quirks={"doubled_debit_party": True})
    merchant.b2c("p_1", amount=300)
    receipt = merchant.settled("p_1")["receipt"]
    posted(
        merchant,
        "/mpesa/transactionstatus/v1/query",
        "status_request",
        TransactionID=receipt,
        PartyA=PAYER,
    )

    told = heard(merchant.ears.one("told"))
    assert shape(told) == shape(printed("status"))
    assert told["Result"]["TransactionID"].endswith("0000000")


def test_the_balance(merchant):
    posted(merchant, "/mpesa/accountbalance/v1/query", "balance_request", PartyA=PAYER)

    told = heard(merchant.ears.one("told"))
    assert shape(told) == shape(printed("balance"))
    accounts, like = (
        [
            (each.split("|")[0], len(each.split("|")))
            for each in body["Result"]["ResultParameters"]["ResultParameter"][0]["Value"].split("&")
        ]
        for body in (told, printed("balance"))
    )
    assert accounts == like


def test_a_reversal_and_one_of_nothing(merchant):
    merchant.answer(merchant.pushed(), pin="1234")
    receipt = merchant.ears.one("stk").items["MpesaReceiptNumber"]
    more = {"ReceiverParty": SHORTCODE, "Amount": "100"}
    path = "/mpesa/reversal/v1/request"
    posted(merchant, path, "reversal_request", TransactionID=receipt, **more)
    assert shape(heard(merchant.ears.one("told"))) == shape(printed("reversed"))

    posted(merchant, path, "reversal_request", **more)
    told = heard(merchant.ears.at("told", 2)[1])
    assert shape(told) == shape(printed("not_reversed"))
    assert told["Result"]["ResultDesc"] == printed("not_reversed")["Result"]["ResultDesc"]


def test_what_is_answered_at_once(merchant):
    said = posted(merchant, "/mpesa/qrcode/v1/generate", "qr_request")
    assert shape(said) == shape(printed("qr"))
    said = posted(
        merchant, "/pulltransactions/v1/register", "pull_register_request", ShortCode=SHORTCODE
    )
    assert shape(said) == shape(printed("pull_registered"))
    said = posted(merchant, "/imsi/v2/checkATI", "sim_request")
    assert said | {"requestRefID": ""} == printed("sim") | {"requestRefID": ""}


def test_what_is_pulled(merchant):
    merchant.answer(merchant.pushed(), pin="1234")
    merchant.ears.one("stk")
    now = datetime.now(UTC) + timedelta(hours=3)
    more = {
        "StartDate": f"{now - timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "EndDate": f"{now + timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "ShortCode": SHORTCODE,
    }
    path = "/pulltransactions/v1/query"
    said = until(lambda: (got := posted(merchant, path, "pull_request", **more)) and got)

    assert shape(said) == shape(printed("pulled"))
    assert said["Response"][0][0]["msisdn"] == int(MSISDN)


@pytest.mark.parametrize("name", ["validation_accepted", "validation_rejected"])
def test_an_answer_to_a_validation_is_understood(merchant, name):
    merchant.post(
        "/mpesa/c2b/v2/registerurl",
        {
            "ShortCode": SHORTCODE,
            "ResponseType": "Cancelled",
            "ConfirmationURL": f"{merchant.ears_url}/told",
            "ValidationURL": f"{merchant.ears_url}/asked",
        },
    )
    merchant.ears.answer = lambda path: printed(name)
    before = merchant.utility()
    posted(merchant, "/mpesa/c2b/v2/simulate", "simulate_request", ShortCode=SHORTCODE)
    until(lambda: merchant.book()[0]["code"])

    assert (merchant.utility() != before) == (name == "validation_accepted")
