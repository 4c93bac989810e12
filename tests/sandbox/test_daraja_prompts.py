"""
M-PESA Express as Safaricom documents it: pushes, prompts, callbacks, queries.
"""

from __future__ import annotations

import re

import pytest
import requests
from merchant import MSISDN, SHORTCODE, is_receipt


class TestPush:
    def test_is_acknowledged_as_documented(self, merchant):
        answer = merchant.stk()

        assert answer.status_code == 200
        said = answer.json()
        assert re.fullmatch(
            r"[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-\w{16}", said["MerchantRequestID"]
        )
        assert re.fullmatch(r"ws_CO_\d{14}\d{3}708374149", said["CheckoutRequestID"])
        assert said["ResponseCode"] == "0"
        assert said["ResponseDescription"] == "Success. Request accepted for processing"
        assert [each["amount"] for each in merchant.prompts("0708374149")] == ["100.00"]

    def test_is_paid_with_the_pin(self, merchant):
        before = merchant.utility()
        checkout = merchant.pushed(amount="150")

        assert merchant.answer(checkout, pin="1234")["result"] == "0"

        told = merchant.ears.one("stk")
        assert told.headers["Content-Type"] == "application/json;charset=UTF-8"
        assert told.headers["Businessshortcode"] == SHORTCODE
        assert b'"Amount", "Value": 150.00}' in told.raw
        assert told.stk["ResultCode"] == 0
        assert told.stk["CheckoutRequestID"] == checkout
        assert is_receipt(told.items["MpesaReceiptNumber"])
        assert told.items["PhoneNumber"] == int(MSISDN)
        assert float(merchant.utility()) == float(before) + 150
        assert merchant.phone()["balance"] == "49850.00"
        assert merchant.prompts() == []

    @pytest.mark.parametrize(
        ("said", "code"),
        [({"cancel": True}, 1032), ({"ignore": True}, 1037), ({"pin": "0000"}, 2001)],
    )
    def test_ends_in_other_ways_without_money(self, merchant, said, code):
        before = merchant.utility()
        checkout = merchant.pushed()

        assert merchant.answer(checkout, **said)["result"] == str(code)

        told = merchant.ears.one("stk").stk
        assert told["ResultCode"] == code
        assert "CallbackMetadata" not in told
        assert merchant.query(checkout).json()["ResultCode"] == str(code)
        assert merchant.utility() == before


class TestPayout:
    def test_is_told_in_a_result(self, merchant):
        answer = merchant.b2c("p_1", amount=500)

        assert answer.status_code == 200
        ack = answer.json()
        assert ack["OriginatorConversationID"] == "p_1"
        result = merchant.ears.one("b2c").result
        assert result["ResultCode"] == 0
        assert result["ConversationID"] == ack["ConversationID"]
        assert merchant.phone()["balance"] == "50500.00"

    def test_the_same_id_is_refused(self, merchant):
        merchant.b2c("p_1")
        answer = merchant.b2c("p_1")

        assert answer.status_code == 500
        assert answer.json()["errorCode"] == "500.002.1001"
        assert answer.json()["errorMessage"] == "Duplicate OriginatorConversationID."

    def test_a_lost_acknowledgement_moves_the_money_all_the_same(self, merchant):
        merchant.spoil(preset="lost-ack", on="b2c")
        with pytest.raises(requests.ConnectionError):
            merchant.b2c("p_1")
        assert merchant.settled("p_1")["code"] == "0"
        assert merchant.ears.one("b2c").result["ResultCode"] == 0
