"""Money for another person, by an app."""

from __future__ import annotations

from functools import partial

import leaks
from app import App, fifty, kes

SEND = {"to": "0733000002", "amount": kes("500.00"), "pin": "4071"}


def test_a_transfer_is_the_order_that_a_phone_would_place(house, wanjiru_s, otieno):
    sent = wanjiru_s.posts("/transfers", SEND)
    assert sent.status_code == 201
    reference = sent.json["reference"]
    assert sent.headers["Location"] == f"/api/v1/orders/{reference}"
    assert (sent.json["kind"], sent.json["state"]) == ("transfer", "done")
    [line] = sent.json["lines"]
    assert line["amount"] == kes("-500.00")
    assert line["other"] == {"name": "Otieno", "number": "0733***002"}
    assert house.bank.balance_of("+254733000002") == 500_00
    assert reference in house.messages("+254712000001")[-1]["message"]
    assert wanjiru_s.gets(f"/orders/{reference}").json == sent.json


def test_a_quote_says_what_it_costs_and_shows_little_of_whom_it_is_for(wanjiru_s, otieno):
    quoted = wanjiru_s.posts("/transfers/quote", {"to": "0733000002", "amount": kes("500")}).json
    assert quoted["amount"] == kes("500.00")
    assert quoted["to"] == {"name": "Oti***", "number": "0733***002"}
    total = float(quoted["amount"]["value"]) + float(quoted["fee"]["value"])
    assert float(quoted["total"]["value"]) == total


class TestAKey:
    def test_the_same_request_again_has_the_same_answer_and_moves_nothing(
        self, house, wanjiru_s, otieno
    ):
        first = wanjiru_s.posts("/transfers", SEND, key="order-0001")
        again = wanjiru_s.posts("/transfers", SEND, key="order-0001")
        assert (again.status_code, again.json) == (201, first.json)
        assert house.bank.balance_of("+254733000002") == 500_00

    def test_another_request_under_it_is_refused(self, house, wanjiru_s, otieno):
        wanjiru_s.posts("/transfers", SEND, key="order-0001")
        wanjiru_s.posts("/transfers", SEND | {"amount": kes("500.01")}, key="order-0001")
        wanjiru_s.is_refused(409, "key-reused")
        assert house.bank.balance_of("+254733000002") == 500_00

    def test_without_one_nothing_is_asked_for(self, wanjiru_s, otieno):
        for key in (None, "short", "x" * 65, "with a blank", "ungültig-ü"):
            wanjiru_s.posts("/transfers", SEND, key=key)
            wanjiru_s.is_refused(400, "key-missing")

    def test_the_answer_stays_though_money_and_fee_do_not(self, house, wanjiru_s, otieno):
        """What is asked again is what was asked, whatever it would come to now."""
        first = wanjiru_s.posts("/transfers", SEND, key="order-0001")
        wanjiru_s.posts("/transfers", SEND | {"amount": kes("700.00")})
        again = wanjiru_s.posts("/transfers", SEND, key="order-0001")
        assert (again.status_code, again.json) == (201, first.json)

    def test_fifty_at_once_move_money_once_and_all_hear_the_same(self, house, wanjiru_s, otieno):
        ask = partial(App.posts, path="/transfers", body=SEND, key="order-0001")
        answers = fifty(house, wanjiru_s, ask)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.data for answer in answers}) == 1
        assert house.bank.balance_of("+254733000002") == 500_00
        assert house.bank.one("SELECT count(*) FROM orders") == 1


class TestAPin:
    def test_a_wrong_one_is_counted_and_three_lock_the_phone_too(self, house, wanjiru_s, otieno):
        for left in (2, 1):
            wanjiru_s.posts("/transfers", SEND | {"pin": "9999"})
            assert wanjiru_s.is_refused(403, "wrong-pin")["tries_left"] == left
        wanjiru_s.posts("/transfers", SEND | {"pin": "9999"})
        wanjiru_s.is_refused(403, "pin-locked")
        wanjiru_s.posts("/transfers", SEND)
        wanjiru_s.is_refused(403, "pin-locked")
        assert house.bank.balance_of("+254733000002") == 0

    def test_a_person_must_give_it(self, wanjiru_s, otieno):
        wanjiru_s.posts("/transfers", {"to": "0733000002", "amount": kes("500.00")})
        problem = wanjiru_s.is_refused(422, "invalid-request")
        assert [each["field"] for each in problem["errors"]] == ["pin"]

    def test_it_is_in_no_log(self, house, wanjiru_s, otieno, capfd):
        wanjiru_s.posts("/transfers", SEND)
        wanjiru_s.posts("/transfers", SEND | {"pin": "9182"})
        said = "".join(capfd.readouterr())
        assert "api.answered" in said
        assert not leaks.tells(said, "4071")
        assert not leaks.tells(said, "9182")


def test_when_the_ledger_is_away_it_is_received_and_done_later(house, wanjiru_s, otieno):
    house.workers_are_there = False
    received = wanjiru_s.posts("/transfers", SEND)
    assert (received.status_code, received.json["state"]) == (202, "placed")
    assert received.json["lines"] == []
    where = received.headers["Location"]
    assert wanjiru_s.gets(where).json["state"] == "placed"
    house.workers_are_there = True
    house.ring()
    assert wanjiru_s.gets(where).json["state"] == "done"


def test_a_refusal_of_the_ledgers_is_a_problem_and_stays_one(house, wanjiru_s, otieno):
    house.workers_are_there = False
    first = wanjiru_s.posts("/transfers", SEND | {"amount": kes("900.00")}, key="order-0001")
    second = wanjiru_s.posts("/transfers", SEND | {"amount": kes("800.00")}, key="order-0002")
    assert (first.status_code, second.status_code) == (202, 202)
    house.workers_are_there = True
    house.ring()
    wanjiru_s.posts("/transfers", SEND | {"amount": kes("800.00")}, key="order-0002")
    problem = wanjiru_s.is_refused(409, "insufficient-funds")
    assert problem["available"]["currency"] == "KES"
    seen = wanjiru_s.gets(second.headers["Location"]).json
    assert (seen["state"], seen["refusal"]["code"]) == ("refused", "insufficient-funds")


def test_nobody_sees_an_order_of_anybody_elses(wanjiru_s, otieno_s):
    sent = wanjiru_s.posts("/transfers", SEND)
    otieno_s.gets(sent.headers["Location"])
    otieno_s.is_refused(404, "unknown-order")


def test_strangers_oneself_and_nonsense_are_refused(wanjiru_s):
    for to, status, code in (
        ("0799123456", 404, "unknown-recipient"),
        ("0712000001", 409, "same-account"),
        ("3840000000001", 422, "invalid-wallet-number"),
        ("hello", 422, "invalid-msisdn"),
    ):
        wanjiru_s.posts("/transfers", SEND | {"to": to})
        wanjiru_s.is_refused(status, code)


def test_money_is_a_string_with_a_currency(wanjiru_s, otieno):
    for amount in (
        *(500, "500.00", {"value": 500, "currency": "KES"}, {"value": "5e2", "currency": "KES"}),
        *({"value": "500", "currency": "XXX"}, {"value": "0", "currency": "KES"}),
        *({"value": "-1", "currency": "KES"}, {"value": "1.001", "currency": "KES"}),
        *({"value": "1,000", "currency": "KES"}, {"value": "500"}),
    ):
        answer = wanjiru_s.posts("/transfers", SEND | {"amount": amount})
        assert answer.status_code == 422, amount
