"""
What becomes of callbacks: once and never again, and every way in which they go astray.
"""

from __future__ import annotations

import json
import threading
import time

import pytest
from merchant import MSISDN, SHORTCODE
from standin import until

from sandbox.daraja.contract import Contract
from sandbox.daraja.safaricom import Safaricom

OTHER = "254722000000"


def pay(merchant, path="stk", msisdn=MSISDN, **more) -> str:
    checkout = merchant.pushed(path=path, msisdn=msisdn, **more)
    merchant.answer(checkout, pin="1234")
    return checkout


def codes(merchant, path) -> list[int]:
    return [each.stk["ResultCode"] for each in merchant.ears.now(path)]


def still(merchant) -> None:
    """Let everything that is due go out."""
    until(lambda: merchant.control("GET", "callbacks"))
    time.sleep(0.1)


class TestAsAlways:
    @pytest.mark.parametrize("answer", [("", 500), ("", 404), ("", 302, {"Location": "/x"})])
    def test_a_callback_comes_once_whatever_is_answered(self, merchant, answer):
        merchant.ears.answer = lambda _: answer
        pay(merchant)
        merchant.ears.one("stk")
        still(merchant)

        assert len(merchant.ears.heard) == 1
        assert merchant.control("GET", "callbacks")[0]["status"] == answer[1]

    def test_one_to_nobody_is_on_record(self, merchant):
        merchant.answer(merchant.pushed(CallBackURL="http://127.0.0.1:9/x"), pin="1234")
        [told] = until(lambda: merchant.control("GET", "callbacks", kind="stk"))

        assert (told["status"], told["answer"]) == (0, "ConnectionError")
        assert json.loads(told["body"])["Body"]["stkCallback"]["ResultCode"] == 0
        merchant.control("DELETE", "callbacks")
        assert merchant.control("GET", "callbacks") == []

    def test_comes_from_where_it_is_told_to(self, merchant):
        merchant.terms(source="127.0.0.7", forwarded_for="196.201.212.69")
        pay(merchant)

        assert merchant.ears.one("stk").headers["X-Forwarded-For"] == "196.201.212.69"

    def test_may_take_its_time(self, merchant):
        merchant.terms(callback_after=0.2)
        began = time.monotonic()
        pay(merchant)
        merchant.ears.one("stk")

        assert time.monotonic() - began >= 0.2


class TestPrompts:
    def test_lost(self, merchant):
        merchant.spoil(preset="callback-lost", on="stk")
        checkout = pay(merchant)
        pay(merchant, "next", OTHER)
        merchant.ears.one("next")

        assert merchant.ears.now("stk") == []
        assert merchant.query(checkout).json()["ResultCode"] == "0"

    def test_late(self, merchant):
        merchant.spoil(on="stk", callback={"kind": "late", "seconds": 0.2})
        pay(merchant)
        pay(merchant, "next", OTHER)

        merchant.ears.one("next")
        assert merchant.ears.now("stk") == []
        merchant.ears.one("stk")

    def test_several_times(self, merchant):
        merchant.spoil(on="stk", callback={"kind": "twice", "times": 3})
        pay(merchant)

        told = merchant.ears.at("stk", 3)
        assert len({each.raw for each in told}) == 1

    def test_before_the_acknowledgement(self, merchant):
        merchant.spoil(preset="callback-first", on="stk")
        checkout = merchant.pushed()

        [told] = merchant.ears.now("stk")  # it was there when the push was answered
        assert told.stk["CheckoutRequestID"] == checkout
        assert told.stk["ResultCode"] == 0

    def test_in_the_other_order(self, merchant):
        merchant.spoil(preset="callback-swapped", on="stk", number=MSISDN)
        pay(merchant)
        pay(merchant, "next", OTHER)
        merchant.ears.one("stk")

        assert [each.path for each in merchant.ears.heard] == ["next", "stk"]

    def test_to_another_payment_as_well(self, merchant):
        first = pay(merchant, "first", OTHER)
        merchant.ears.one("first")
        merchant.spoil(preset="callback-crossed", on="stk")
        second = pay(merchant, "second")

        told = merchant.ears.at("first", 2)
        assert [each.stk["CheckoutRequestID"] for each in told] == [first, second]
        assert merchant.ears.one("second").stk["CheckoutRequestID"] == second

    def test_with_another_amount_or_number(self, merchant):
        merchant.spoil(on="stk", callback={"kind": "wrong-amount", "amount": "9999"})
        merchant.spoil(on="stk", callback={"kind": "wrong-number"})
        pay(merchant, "one")
        pay(merchant, "two", amount=7)

        one, two = merchant.ears.one("one").items, merchant.ears.one("two").items
        assert (one["Amount"], one["PhoneNumber"]) == (9999, int(MSISDN))
        assert (two["Amount"], two["PhoneNumber"]) == (7, 254700999999)
        assert merchant.phone()["balance"] == "49893.00"

    def test_with_a_receipt_that_was_used(self, merchant):
        pay(merchant, "one")
        used = merchant.ears.one("one").items["MpesaReceiptNumber"]
        merchant.spoil(preset="used-receipt", on="stk")
        pay(merchant, "two", amount=7)

        assert merchant.ears.one("two").items["MpesaReceiptNumber"] == used

    def test_forged_before_anybody_has_paid(self, merchant):
        merchant.spoil(preset="forged", on="stk")
        checkout = merchant.pushed()

        forged = merchant.ears.one("stk")
        assert forged.stk["ResultCode"] == 0
        assert forged.stk["CheckoutRequestID"] == checkout
        assert merchant.book() == []
        merchant.answer(checkout, cancel=True)
        assert [each.stk["ResultCode"] for each in merchant.ears.at("stk", 2)] == [0, 1032]

    def test_forged_to_an_address_that_was_guessed(self, merchant):
        merchant.spoil(preset="forged-elsewhere", on="stk")
        token = "5a" * 16
        merchant.pushed(path=f"d/stk/{token}")

        [forged] = until(lambda: merchant.ears.heard)
        assert forged.path.startswith("d/stk/")
        assert forged.path != f"d/stk/{token}"
        assert len(forged.path) == len(f"d/stk/{token}")

    @pytest.mark.parametrize(
        ("preset", "said"), [("failed-then-paid", [1032, 0]), ("paid-then-failed", [0, 1032])]
    )
    def test_contrary(self, merchant, preset, said):
        merchant.spoil(preset=preset, on="stk")
        checkout = pay(merchant)
        merchant.ears.at("stk", 2)

        assert codes(merchant, "stk") == said
        assert merchant.query(checkout).json()["ResultCode"] == "0"

    def test_cut_off(self, merchant):
        merchant.spoil(preset="corrupt", on="stk")
        pay(merchant)

        with pytest.raises(json.JSONDecodeError):
            _ = merchant.ears.one("stk").body

    def test_both_the_acknowledgement_and_the_callback_lost(self, merchant):
        merchant.spoil(preset="lost-ack-and-callback", on="stk")
        with pytest.raises(Exception, match="Connection"):
            merchant.stk()
        [prompt] = merchant.prompts()
        merchant.answer(prompt["id"], pin="1234")
        still_there = until(merchant.book)

        assert still_there[0]["account"] == "D0001"
        assert merchant.ears.heard == []


class TestPayouts:
    def test_first_the_timeout_and_then_the_result(self, merchant):
        merchant.spoil(on="b2c", callback={"kind": "timeout-then-result", "seconds": 0.1})
        merchant.b2c("p_1")

        result = merchant.ears.one("b2c").result
        assert result["ResultCode"] == 0
        assert [each.path for each in merchant.ears.heard] == ["b2c/late", "b2c"]
        late = merchant.ears.one("b2c/late").result
        assert late["OriginatorConversationID"] == "p_1"
        assert "ResultParameters" not in late

    def test_the_timeout_alone(self, merchant):
        merchant.spoil(preset="timeout", on="b2c")
        merchant.b2c("p_1")
        merchant.ears.one("b2c/late")
        merchant.b2c("p_2", path="next")
        merchant.ears.one("next")

        assert merchant.ears.now("b2c") == []
        assert merchant.settled("p_1")["status"] == "Completed"

    def test_before_the_acknowledgement(self, merchant):
        merchant.spoil(preset="callback-first", on="b2c")
        merchant.b2c("p_1")

        assert [each.path for each in merchant.ears.heard] == ["b2c"]

    def test_forged(self, merchant):
        merchant.terms(result_after=0.2)
        merchant.phone(balance="499999")
        merchant.spoil(preset="forged", on="b2c")
        merchant.b2c("p_1")

        told = [each.result["ResultCode"] for each in merchant.ears.at("b2c", 2)]
        assert told == [0, 8]

    @pytest.mark.parametrize(
        ("preset", "said"), [("failed-then-paid", [2001, 0]), ("paid-then-failed", [0, 2001])]
    )
    def test_contrary(self, merchant, preset, said):
        merchant.spoil(preset=preset, on="b2c")
        merchant.b2c("p_1")

        assert [each.result["ResultCode"] for each in merchant.ears.at("b2c", 2)] == said
        assert merchant.settled("p_1")["code"] == "0"

    def test_with_another_amount_or_a_used_receipt(self, merchant):
        merchant.spoil(on="b2c", callback={"kind": "wrong-amount", "amount": "9999"})
        merchant.spoil(preset="used-receipt", on="b2c")
        merchant.b2c("p_1", path="one")
        one = merchant.ears.one("one")
        assert one.parameters["TransactionAmount"] == 9999
        merchant.b2c("p_2", path="two")
        two = merchant.ears.one("two")
        used = one.result["TransactionID"]
        assert two.result["TransactionID"] == two.parameters["TransactionReceipt"] == used
        assert merchant.settled("p_2")["receipt"] != used

    def test_lost_acknowledgement_and_the_same_id_again(self, merchant):
        merchant.spoil(preset="lost-ack", on="b2c")
        with pytest.raises(Exception, match="Connection"):
            merchant.b2c("p_1")

        assert "Duplicate" in merchant.b2c("p_1").json()["errorMessage"]
        assert merchant.settled("p_1")["code"] == "0"
        assert len(merchant.ears.at("b2c")) == 1

    def test_lost_request_and_the_same_id_again(self, merchant):
        merchant.spoil(preset="lost-request", on="b2c")
        with pytest.raises(Exception, match="Connection"):
            merchant.b2c("p_1")

        assert merchant.book() == []
        assert merchant.b2c("p_1").status_code == 200

    def test_an_outcome_may_be_scripted(self, merchant):
        merchant.spoil(on="b2c", outcome="26")
        merchant.b2c("p_1")

        assert merchant.ears.one("b2c").result["ResultCode"] == 26
        assert merchant.phone()["balance"] == "50000.00"


@pytest.mark.parametrize("kind", ["lost", "twice", "timeout-then-result"])
def test_answers_to_questions_go_astray_too(merchant, kind):
    merchant.spoil(on="balance", callback={"kind": kind, "seconds": 0.05})
    merchant.post(
        "/mpesa/accountbalance/v1/query",
        merchant.asking(
            "balance", CommandID="AccountBalance", PartyA=SHORTCODE, IdentifierType="4"
        ),
    )
    if kind == "lost":
        merchant.b2c("p_1")
        merchant.ears.one("b2c")
        assert merchant.ears.now("balance") == []
    else:
        assert len(merchant.ears.at("balance", 2 if kind == "twice" else 1))


def test_nothing_is_left_running_once_it_is_closed():
    def running() -> set[threading.Thread]:
        return {each for each in threading.enumerate() if each.name.startswith("safaricom-")}

    before = running()
    safaricom = Safaricom(Contract())
    done = threading.Event()
    safaricom.errands.later(0, done.set)
    safaricom.errands.later(60, done.clear)
    assert done.wait(5)
    ours = running() - before
    assert len(ours) > 1

    safaricom.close()

    for each in ours:
        each.join(5)
    assert not running() - before
