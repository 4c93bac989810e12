"""
B2C: the id that is taken once, the credential, limits, floats, results.
"""

from __future__ import annotations

import pytest
import requests
from merchant import INITIATOR, MSISDN, PAYER, SHORTCODE, is_receipt
from standin import until


def result_of(merchant, originator: str, **more):
    path = more.pop("path", originator)
    answer = merchant.b2c(originator, path=path, **more)
    assert answer.status_code == 200, answer.text
    return merchant.ears.one(path).result


class TestPayout:
    def test_is_paid_and_told(self, merchant):
        ack = merchant.b2c("p_1", amount=500).json()

        told = merchant.ears.one("b2c")
        result = told.result
        assert result["OriginatorConversationID"] == ack["OriginatorConversationID"] == "p_1"
        assert result["ConversationID"] == ack["ConversationID"]
        assert is_receipt(result["TransactionID"])
        parameters = told.parameters
        assert parameters["TransactionReceipt"] == result["TransactionID"]
        assert parameters["TransactionAmount"] == 500
        assert b'"Value": 4999500.00}' in told.raw
        assert b'"Value": -5.00}' in told.raw  # what it has cost so far
        assert parameters["ReceiverPartyPublicName"].startswith(f"{MSISDN} - ")
        assert merchant.phone()["balance"] == "50500.00"

    def test_its_id_is_taken_once(self, merchant):
        merchant.b2c("p_1")
        answer = merchant.b2c("p_1", amount=20)

        assert answer.status_code == 500
        assert answer.json()["errorCode"] == "500.002.1001"
        assert answer.json()["errorMessage"] == "Duplicate OriginatorConversationID."
        merchant.settled("p_1")
        assert len(merchant.book()) == 1

    def test_one_that_was_refused_has_not_taken_its_id(self, merchant):
        assert merchant.b2c("p_1", amount="0").status_code == 400
        assert merchant.b2c("p_1").status_code == 200

    def test_in_the_first_version_has_no_id_of_ours(self, merchant):
        body = merchant.b2c_body("")
        del body["OriginatorConversationID"]
        acks = [merchant.post("/mpesa/b2c/v1/paymentrequest", body).json() for _ in range(2)]

        assert acks[0]["OriginatorConversationID"] != acks[1]["OriginatorConversationID"]
        assert len(merchant.ears.at("b2c", 2)) == 2

    def test_costs_by_its_amount(self, merchant):
        costs = {}
        for amount in (100, 101, 1_500, 1_501, 5_001, 20_001):
            originator = f"p_{amount}"
            merchant.b2c(originator, amount=amount)
            costs[amount] = merchant.settled(originator)["charge"]

        assert list(costs.values()) == ["0.00", "5.00", "5.00", "9.00", "11.00", "13.00"]
        assert merchant.control("GET", "totals")["charges"] == "43.00"

    @pytest.mark.parametrize(
        ("told", "more", "code"),
        [
            ({}, {"amount": 9}, 2),
            ({}, {"amount": 250_001}, 3),
            ({"balance": "490001"}, {"amount": 10_000}, 8),
            ({"registered": False}, {}, 2040),
            ({}, {"InitiatorName": "nobody"}, 2001),
            ({}, {"SecurityCredential": "bm90IGVuY3J5cHRlZA=="}, 2001),
            ({}, {"SecurityCredential": "not base64!"}, 2001),
            ({}, {"PartyA": "600000"}, 2006),
        ],
    )
    def test_that_fails_is_told_with_its_code_and_moves_nothing(self, merchant, told, more, code):
        if told:
            merchant.phone(**told)
        before = merchant.phone()["balance"], merchant.utility(PAYER)

        result = result_of(merchant, "p_1", **more)

        assert result["ResultCode"] == code
        assert "ResultParameters" not in result
        assert is_receipt(result["TransactionID"])
        assert (merchant.phone()["balance"], merchant.utility(PAYER)) == before
        assert merchant.settled("p_1")["status"] == "Declined"

    def test_nobody_gets_more_than_500_000_in_a_day(self, merchant):
        merchant.phone(balance="0")
        for part in ("p_1", "p_2"):
            assert result_of(merchant, part, amount=250_000)["ResultCode"] == 0
            merchant.phone(balance="0")

        assert result_of(merchant, "p_3")["ResultCode"] == 4

    def test_nothing_is_paid_beyond_the_float(self, merchant):
        merchant.control("PUT", f"accounts/{PAYER}", {"Utility Account": "99.99"})

        assert result_of(merchant, "p_1", amount=100)["ResultCode"] == 1
        assert merchant.utility(PAYER) == "99.99"

    def test_the_paybill_pays_out_too(self, merchant):
        before = merchant.utility()
        assert result_of(merchant, "p_1", PartyA=SHORTCODE)["ResultCode"] == 0
        assert merchant.utility() != before


class TestInitiator:
    def test_the_credential_is_opened_with_safaricoms_own_key(self, merchant):
        for number, (password, code) in enumerate([("wrong", 2001), ("Safaricom999!*!", 0)]):
            sealed = merchant.credential(password)
            result = result_of(merchant, f"p_{number}", SecurityCredential=sealed)
            assert result["ResultCode"] == code

    def test_three_wrong_ones_lock_until_somebody_unlocks(self, merchant):
        wrong = merchant.credential("wrong")
        codes = [
            result_of(merchant, f"p_{number}", SecurityCredential=wrong)["ResultCode"]
            for number in range(3)
        ]
        assert codes == [2001] * 3
        assert result_of(merchant, "p_right")["ResultCode"] == 8006
        merchant.control("DELETE", "initiators")
        assert result_of(merchant, "p_again")["ResultCode"] == 0

    def test_a_role_may_be_taken_away_and_a_password_may_end(self, merchant):
        merchant.control("PUT", "initiators", {"name": INITIATOR, "forbidden": True})
        assert result_of(merchant, "p_1")["ResultCode"] == 21
        merchant.control("DELETE", "initiators")
        merchant.control("PUT", "initiators", {"name": INITIATOR, "password": "New1#"})
        assert result_of(merchant, "p_2")["ResultCode"] == 2001
        sealed = merchant.credential("New1#")
        assert result_of(merchant, "p_3", SecurityCredential=sealed)["ResultCode"] == 0


class TestQuirks:
    def test_parameters_in_any_order_under_an_id_of_safaricoms(self, merchant):
        merchant.terms(
            quirks={"shuffled": True, "reference_array": True, "gateway_originator": True}
        )
        orders = set()
        for number in range(6):
            result = result_of(merchant, f"p_{number}")
            keys = [each["Key"] for each in result["ResultParameters"]["ResultParameter"]]
            orders.add(tuple(keys))
            assert result["OriginatorConversationID"] != f"p_{number}"
            assert isinstance(result["ReferenceData"]["ReferenceItem"], list)
        assert len(orders) > 1
        assert len(set(map(frozenset, orders))) == 1

    def test_a_single_parameter_is_an_object(self, merchant):
        merchant.terms(quirks={"bare_parameter": True})
        result = result_of(merchant, "p_1", amount=9)

        assert result["ResultParameters"]["ResultParameter"]["Key"] == "BOCompletedTime"


def test_a_payee_gets_an_sms_of_mpesas_own(merchant):
    merchant.terms(texts=True)
    result = result_of(merchant, "p_1", amount=500)
    url = f"{merchant.url}/africastalking/messages"
    [sms] = until(lambda: requests.get(url, params={"to": f"+{MSISDN}"}, timeout=5).json())

    assert sms["message"].startswith(
        f"{result['TransactionID']} Confirmed. You have received Ksh500.00 from KABAMBE on "
    )
