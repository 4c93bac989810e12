"""
M-PESA Express: pushes, what people do with prompts, limits, callbacks, queries.
"""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import requests
from merchant import MSISDN, SHORTCODE, is_receipt
from standin import until

OTHER = "254722000000"


def code_of(merchant, path: str = "stk"):
    return merchant.ears.one(path).stk["ResultCode"]


class TestPush:
    def test_is_acknowledged_and_shown(self, merchant):
        said = merchant.stk(AccountReference="DQ7X2M4K").json()

        assert re.fullmatch(r"ws_CO_\d{14}\d{3}708374149", said["CheckoutRequestID"])
        shown = merchant.prompts("0708374149")
        assert [each["id"] for each in shown] == [said["CheckoutRequestID"]]
        assert shown[0]["words"] == (
            "Do you want to pay Ksh.100.00 to KABAMBE Account no. DQ7X2M4K?"
        )
        assert merchant.prompts("0722000000") == []

    def test_is_paid_with_the_pin(self, merchant):
        before = merchant.utility()
        checkout = merchant.pushed(amount="150")

        assert merchant.answer(checkout, pin="1234")["result"] == "0"

        told = merchant.ears.one("stk")
        assert told.headers["Content-Type"] == "application/json;charset=UTF-8"
        assert told.headers["Businessshortcode"] == SHORTCODE
        assert b'"Name": "Amount", "Value": 150.00}' in told.raw
        assert told.stk["CheckoutRequestID"] == checkout
        assert is_receipt(told.items["MpesaReceiptNumber"])
        assert told.items["PhoneNumber"] == int(MSISDN)
        assert re.fullmatch(r"20\d{12}", str(told.items["TransactionDate"]))
        assert Decimal(merchant.utility()) == Decimal(before) + 150
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

        assert code_of(merchant) == code
        assert "CallbackMetadata" not in merchant.ears.one("stk").stk
        assert merchant.query(checkout).json()["ResultCode"] == str(code)
        assert merchant.utility() == before
        again = requests.post(
            f"{merchant.url}/daraja/prompts/{checkout}", json={"pin": "1234"}, timeout=5
        )
        assert again.status_code == 410

    def test_ends_by_itself_when_nobody_answers(self, merchant):
        merchant.terms(prompt_life=0.02)
        checkout = merchant.pushed()

        assert code_of(merchant) == 1037
        assert merchant.ears.one("stk").stk["ResultDesc"] == "No response from user."
        said = merchant.query(checkout).json()
        assert said["ResultDesc"] == "DS timeout user cannot be reached."

    def test_one_at_a_time(self, merchant):
        checkout = merchant.pushed()
        answer = merchant.stk(amount=7)

        assert answer.status_code == 500
        assert answer.json()["errorCode"] == "500.001.1001"
        assert answer.json()["errorMessage"].startswith("Unable to lock subscriber, a transaction")
        merchant.answer(checkout, cancel=True)
        assert merchant.stk().status_code == 200

    def test_of_a_till_goes_to_the_till(self, merchant):
        more = {"TransactionType": "CustomerBuyGoodsOnline"}
        merchant.answer(merchant.pushed(PartyB="5074379", **more), pin="1234")
        assert code_of(merchant) == 0
        merchant.pushed(msisdn=OTHER, PartyB="9999999", path="till", **more)
        assert code_of(merchant, "till") == "SFC_IC0003"
        merchant.pushed(msisdn=OTHER, PartyB="600992", path="bill")
        assert code_of(merchant, "bill") == 2028

    def test_who_is_in_a_session_cannot_be_reached(self, merchant):
        merchant.ears.answer = lambda path: "CON Kabambe" if "ussd" in path else ""
        dialled = requests.post(
            f"{merchant.url}/africastalking/ussd",
            json={"phone": "0708374149", "dial": "*384#"},
            timeout=5,
        ).json()
        assert not dialled["ended"]

        checkout = merchant.pushed()
        assert code_of(merchant) == 1037
        assert merchant.query(checkout).json()["ResultCode"] == "1037"
        merchant.terms(busy_phones=False)
        merchant.answer(merchant.pushed(path="again"), pin="1234")
        assert code_of(merchant, "again") == 0


class TestPeople:
    @pytest.mark.parametrize(
        ("habit", "code"), [("accept", 0), ("cancel", 1032), ("wrong-pin", 2001)]
    )
    def test_have_habits(self, merchant, habit, code):
        merchant.terms(phones="accept" if habit != "accept" else "cancel")
        merchant.phone(habit=habit)
        merchant.pushed()
        merchant.pushed(msisdn=OTHER, path="other")

        assert code_of(merchant) == code
        assert code_of(merchant, "other") == (0 if habit != "accept" else 1032)

    @pytest.mark.parametrize("code", ["0", "1", "1019", "1032", "1037", "2001", "8006", "9999"])
    def test_with_magic_numbers_do_what_their_digits_say(self, merchant, code):
        checkout = merchant.pushed(msisdn=f"254700{int(code):06}")

        assert code_of(merchant) == int(code)
        assert merchant.query(checkout).json()["ResultCode"] == code

    def test_lock_themselves_out(self, merchant):
        codes = [merchant.answer(merchant.pushed(), pin="0000")["result"] for _ in range(3)]
        assert codes == ["2001"] * 3
        assert merchant.answer(merchant.pushed(), pin="1234")["result"] == "8006"
        merchant.phone(locked=False)
        assert merchant.answer(merchant.pushed(), pin="1234")["result"] == "0"

    def test_have_a_pin_of_their_own(self, merchant):
        merchant.phone(pin="5555", name="JOHN DOE")

        assert merchant.answer(merchant.pushed(), pin="1234")["result"] == "2001"
        assert merchant.answer(merchant.pushed(), pin="5555")["result"] == "0"

    def test_who_are_not_on_mpesa_cannot_be_reached(self, merchant):
        merchant.phone(registered=False)
        merchant.pushed()

        assert code_of(merchant) == 1037

    def test_are_as_they_were_when_a_door_says_so(self, merchant):
        as_it_was = merchant.phone()
        merchant.phone(registered=False, habit="cancel", pin="5555", balance="1", name="JOHN DOE")
        merchant.control("DELETE", "phones")

        assert merchant.phone() == as_it_was
        assert merchant.answer(merchant.pushed(), pin="1234")["result"] == "0"

    @pytest.mark.parametrize("wrong", [{"pin": "12"}, {"balance": "-1"}, {"shoe": 1}])
    def test_are_not_like_anything(self, merchant, wrong):
        url = f"{merchant.url}/daraja/control/phones/{MSISDN}"

        assert requests.put(url, json=wrong, timeout=5).status_code == 400


class TestLimits:
    def pay(self, merchant, amount, msisdn=MSISDN) -> str:
        return merchant.answer(merchant.pushed(msisdn=msisdn, amount=amount), pin="1234")["result"]

    def test_nobody_pays_what_they_do_not_have(self, merchant):
        merchant.phone(balance="99.99")

        assert self.pay(merchant, 100) == "1"
        assert merchant.phone()["balance"] == "99.99"

    def test_nor_more_than_250_000_at_once(self, merchant):
        merchant.phone(balance="400000")

        assert self.pay(merchant, 250_001) == "3"
        assert self.pay(merchant, 250_000) == "0"

    def test_nor_more_than_500_000_in_a_day(self, merchant):
        merchant.phone(balance="600000")

        codes = [self.pay(merchant, amount) for amount in (250_000, 249_999, 2, 1)]
        assert codes == ["0", "0", "4", "0"]

    def test_nor_the_same_twice_in_two_minutes(self, merchant):
        codes = [self.pay(merchant, amount) for amount in (100, 100, 101)]
        assert codes == ["0", "17", "0"]
        assert self.pay(merchant, 100, OTHER) == "0"
        merchant.terms(same_amount=0)
        assert self.pay(merchant, 100) == "0"

    def test_nor_beyond_what_a_paybill_may_hold(self, merchant):
        merchant.terms(balance_max="5000100")

        assert [self.pay(merchant, amount) for amount in (101, 100)] == ["8", "0"]


class TestQuery:
    def test_in_flight_says_so_in_three_ways(self, merchant):
        checkout = merchant.pushed()
        seen = set()
        for _ in range(40):
            answer = merchant.query(checkout)
            said = answer.json()
            seen.add((answer.status_code, said.get("ResultCode"), said.get("errorMessage")))

        assert seen == {
            (500, None, "The transaction is being processed"),
            (500, None, ""),
            (200, "4999", None),
        }

    def test_of_nothing_says_that_it_does_not_exist(self, merchant):
        answer = merchant.query("ws_CO_260520211133524545")

        assert answer.status_code == 500
        assert answer.json()["errorMessage"] == "The transaction does not Exist"

    def test_of_what_has_ended_may_be_told_that_it_goes_on(self, merchant):
        checkout = merchant.pushed()
        merchant.answer(checkout, pin="1234")
        assert {merchant.query(checkout).status_code for _ in range(20)} == {200}
        merchant.terms(query_noise=0.3)
        assert {merchant.query(checkout).status_code for _ in range(60)} == {200, 500}

    @pytest.mark.parametrize(
        ("how", "status", "said"),
        [("processing", 500, "being processed"), ("4999", 200, "4999"), ("empty", 500, '""')],
    )
    def test_may_be_scripted_to_be_in_doubt(self, merchant, how, status, said):
        checkout = merchant.pushed()
        merchant.answer(checkout, pin="1234")
        merchant.spoil(on="query", next=2, answer={"kind": "pending", "how": how})

        for _ in range(2):
            answer = merchant.query(checkout)
            assert (answer.status_code, said in answer.text) == (status, True)
        assert merchant.query(checkout).json()["ResultCode"] == "0"


class TestQuirks:
    def test_a_balance_without_a_value_and_a_whole_amount(self, merchant):
        merchant.terms(quirks={"balance_item": True, "whole_amounts": True})
        merchant.answer(merchant.pushed(), pin="1234")

        told = merchant.ears.one("stk")
        assert {"Name": "Balance"} in told.stk["CallbackMetadata"]["Item"]
        assert b'"Value": 100}' in told.raw

    def test_an_outcome_may_be_scripted(self, merchant):
        merchant.spoil(on="stk", outcome="1019")
        checkout = merchant.pushed()

        assert code_of(merchant) == 1019
        assert merchant.query(checkout).json()["ResultDesc"] == "Transaction has expired."


class TestStream:
    def test_tells_of_every_change(self, merchant):
        with requests.get(
            f"{merchant.url}/daraja/prompts/stream", stream=True, timeout=5
        ) as stream:
            lines = stream.iter_lines(chunk_size=1)
            assert next(lines) == b"data: []"
            checkout = merchant.pushed()
            assert checkout.encode() in next(each for each in lines if each)
            merchant.answer(checkout, cancel=True)
            assert next(each for each in lines if each) == b"data: []"

    def test_has_room_for_eight(self, merchant):
        url = f"{merchant.url}/daraja/prompts/stream"
        streams = [requests.get(url, stream=True, timeout=5) for _ in range(8)]

        assert requests.get(url, timeout=5).status_code == 503
        for each in streams:
            each.close()


def test_a_payer_gets_an_sms_of_mpesas_own(merchant):
    merchant.terms(texts=True)
    merchant.answer(merchant.pushed(amount=1500), pin="1234")
    receipt = merchant.ears.one("stk").items["MpesaReceiptNumber"]
    answer = requests.get(
        f"{merchant.url}/africastalking/messages", params={"to": f"+{MSISDN}"}, timeout=5
    )

    [sms] = answer.json()
    assert sms["from"] == "MPESA"
    assert sms["message"].startswith(
        f"{receipt} Confirmed. Ksh1,500.00 sent to KABAMBE for account D0001 on "
    )
    assert sms["message"].endswith("New M-PESA balance is Ksh48,500.00.")


def test_no_prompt_and_no_money_are_lost_when_many_pay_at_once(merchant):
    merchant.terms(phones="accept")
    everything = merchant.control("GET", "totals")["everything"]
    numbers = [f"2547110{number:05}" for number in range(40)]
    for number in numbers:
        merchant.phone(number)
    before = Decimal(everything) + 40 * 50_000

    for number in numbers:
        merchant.pushed(msisdn=number, amount=10, path="many")

    told = merchant.ears.at("many", len(numbers))
    assert len({each.items["MpesaReceiptNumber"] for each in told}) == len(numbers)
    totals = until(lambda: merchant.control("GET", "totals"))
    assert totals["c2b"] == {"count": 40, "amount": "400.00"}
    assert Decimal(totals["everything"]) == before
