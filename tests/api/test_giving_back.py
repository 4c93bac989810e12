"""Refunds: what a merchant gives back, never more than was paid, once however often it is asked."""

from __future__ import annotations

import pytest
from app import App, a_key, fifty, kes

from core import merchants, reversals, subscribers
from core.audit import Actor
from core.reversals import AlreadyRefunded
from core.subscribers import Tier

HERS, HIS = "+254712000001", "+254733000002"
JANE = Actor("staff:jane", "desk", "r1")


@pytest.fixture
def paid(wanjiru_s, otieno_s, till) -> str:
    """She paid 1,000 at his till; he has 995 of it. The payment's reference."""
    body = {"till": till, "amount": kes("1000.00"), "pin": "4071"}
    return wanjiru_s.posts("/payments", body).json["reference"]


def refund(app, payment, amount=None, **more):
    body = {"payment": payment, "pin": "4071"}
    return app.posts("/refunds", body if amount is None else body | {"amount": kes(amount)}, **more)


def until_heard(app, payment, amount):
    """As a program does that is told to come again: under the same key."""
    key = a_key()
    while (answer := refund(app, payment, amount, key=key)).status_code in (202, 503):
        pass
    return answer


def balances(house):
    return house.bank.balance_of(HERS), house.bank.balance_of(HIS)


def give(house, msisdn, amount):
    with house.databases["owner"].begin() as session:
        house.bank.give(session, msisdn, amount, now=house.clock())


class TestOfAll:
    def test_the_payer_has_it_back_and_the_merchant_bears_the_fee(
        self, house, wanjiru_s, otieno_s, paid
    ):
        give(house, HIS, "5")
        given = refund(otieno_s, paid)
        assert (given.status_code, given.json["kind"], given.json["state"]) == (
            201,
            "refund",
            "done",
        )
        assert balances(house) == (1250_00, 0)
        [line] = given.json["lines"]
        assert (line["kind"], line["amount"], line["fee"]) == (
            "payment-refund",
            kes("-1000.00"),
            kes("0.00"),
        )
        assert line["other"]["name"] == "Wanjiru"
        shown = otieno_s.gets(f"/merchants/me/payments/{paid}").json
        assert (shown["refunded"], shown["refundable"]) == (kes("1000.00"), kes("0.00"))

    def test_of_which_nothing_is_left_is_refused_and_holds_nobody_up(
        self, house, wanjiru_s, otieno_s, paid, till
    ):
        give(house, HIS, "5")
        assert refund(otieno_s, paid).status_code == 201
        refund(otieno_s, paid)
        assert otieno_s.is_refused(409, "refund-too-large")["left"] == kes("0.00")
        body = {"till": till, "amount": kes("100.00"), "pin": "4071"}
        assert wanjiru_s.posts("/payments", body).status_code == 201

    def test_both_are_told(self, house, otieno_s, paid):
        reference = refund(otieno_s, paid, "200").json["reference"]
        hers = f"{reference} Otieno gave you back KES 200.00 of payment {paid}"
        his = f"{reference} You gave KES 200.00 back to Wanjiru 0712***001"
        for number, words in ((HERS, hers), (HIS, his)):
            assert any(words in each["message"] for each in house.messages(number))

    def test_without_enough_it_is_refused_and_he_is_told(self, house, otieno_s, paid):
        refund(otieno_s, paid)
        problem = otieno_s.is_refused(409, "insufficient-funds")
        assert problem["available"] == kes("995.00")
        assert balances(house) == (250_00, 995_00)
        told = [each["message"] for each in house.messages(HIS)]
        assert any("Not given back: KES 1,000.00." in each for each in told)


class TestOfAPart:
    def test_parts_add_up_to_what_was_paid_and_no_further(self, house, otieno_s, paid):
        refund(otieno_s, paid, "400")
        refund(otieno_s, paid, "500")
        refund(otieno_s, paid, "100.01")
        assert otieno_s.is_refused(409, "refund-too-large")["left"] == kes("100.00")
        assert balances(house) == (250_00 + 900_00, 95_00)

    @pytest.mark.parametrize(
        ("amount", "status", "code"),
        [
            ("0", 422, "invalid-amount"),
            ("1000.01", 409, "refund-too-large"),
            ("0.001", 422, "invalid-amount"),
        ],
    )
    def test_what_is_no_part_is_refused(self, otieno_s, paid, amount, status, code):
        refund(otieno_s, paid, amount)
        otieno_s.is_refused(status, code)

    def test_nor_in_another_currency(self, otieno_s, paid):
        body = {"payment": paid, "pin": "4071", "amount": {"value": "1.00", "currency": "USD"}}
        otieno_s.posts("/refunds", body)
        otieno_s.is_refused(409, "refund-too-large")


class TestAtOnce:
    def test_fifty_for_parts_give_back_no_more_than_was_paid(self, house, otieno_s, paid):
        """Fifty of 30 would be 1,500; 33 of them are 990, and one more would be too much."""
        give(house, HIS, "5,000")
        answers = fifty(house, otieno_s, lambda app: until_heard(app, paid, "30"))
        done = [answer for answer in answers if answer.status_code == 201]
        refused = {answer.json["code"] for answer in answers if answer.status_code != 201}
        assert (len(done), refused) == (33, {"refund-too-large"})
        assert len({answer.json["reference"] for answer in done}) == 33
        assert balances(house) == (250_00 + 990_00, 5995_00 - 990_00)
        assert house.bank.one("SELECT sum(amount) FROM refunds") == 990_00

    def test_fifty_times_the_same_request_give_back_once_and_say_the_same(
        self, house, otieno_s, paid
    ):
        give(house, HIS, "5")
        answers = fifty(house, otieno_s, lambda app: refund(app, paid, key="refund-001"))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.data for answer in answers}) == 1
        assert balances(house) == (1250_00, 0)

    def test_one_that_cannot_be_leaves_room_for_one_that_can(self, house, otieno_s, paid):
        """Both in one batch, the larger one first: that it fails is nothing to the other."""
        house.workers_are_there = False
        first, second = refund(otieno_s, paid, "999"), refund(otieno_s, paid, "600")
        assert (first.status_code, second.status_code) == (202, 202)
        house.workers_are_there = True
        house.ring()
        states = [
            otieno_s.gets(answer.headers["Location"]).json["state"] for answer in (first, second)
        ]
        assert states == ["refused", "done"]


class TestBesideReversals:
    def ask_back(self, house, reference):
        with house.databases["web"].begin() as session:
            return reversals.request(
                session,
                subscriber=subscribers.recipient(session, msisdn=HERS).id,
                reference=reference,
                actor=Actor(HERS, "app", "r1"),
                reason="Torn",
                now=house.clock(),
            )

    def approve(self, house, reversal):
        with house.databases["worker"].begin() as session:
            reversals.approve(
                session, reversal=reversal, actor=JANE, note="Seen", now=house.clock()
            )

    def test_what_was_reversed_is_not_given_back_again(self, house, otieno_s, paid):
        self.approve(house, self.ask_back(house, paid))
        give(house, HIS, "5,000")
        refund(otieno_s, paid)
        otieno_s.is_refused(409, "payment-reversed")
        assert house.bank.balance_of(HERS) == 1250_00
        assert otieno_s.gets(f"/merchants/me/payments/{paid}").json["reversed"] is True

    def test_what_was_given_back_in_part_is_not_reversed(self, house, otieno_s, paid):
        reversal = self.ask_back(house, paid)
        refund(otieno_s, paid, "10")
        with pytest.raises(AlreadyRefunded):
            self.approve(house, reversal)
        assert house.bank.balance_of(HERS) == 250_00 + 10_00


class TestWhoMay:
    def test_nobody_gives_back_what_others_were_paid(self, house, wanjiru_s, paid):
        refund(wanjiru_s, paid)
        wanjiru_s.is_refused(404, "no-till")

    def test_nor_another_merchant(self, house, otieno_s, paid, amina):
        with house.databases["worker"].begin() as session:
            her = subscribers.recipient(session, msisdn=amina.phone.msisdn).id
            merchants.open_till(session, subscriber=her, actor=JANE, now=house.clock())
        app = App(house.app.test_client(), house.logged_in(amina.phone.msisdn))
        refund(app, paid)
        app.is_refused(404, "no-such-payment")

    def test_nor_what_was_sent_and_not_paid(self, wanjiru_s, otieno_s, till):
        sent = wanjiru_s.posts(
            "/transfers", {"to": "0733000002", "amount": kes("50.00"), "pin": "4071"}
        )
        refund(otieno_s, sent.json["reference"])
        otieno_s.is_refused(404, "no-such-payment")

    def test_nor_without_the_pin(self, house, otieno_s, paid):
        otieno_s.posts("/refunds", {"payment": paid, "pin": "0000"})
        otieno_s.is_refused(403, "wrong-pin")
        otieno_s.posts("/refunds", {"payment": paid})
        otieno_s.is_refused(422, "invalid-request")
        assert balances(house) == (250_00, 995_00)

    def test_nor_who_is_suspended(self, house, otieno_s, paid):
        with house.databases["worker"].begin() as session:
            subscribers.set_tier(
                session,
                subscriber=subscribers.recipient(session, msisdn=HIS).id,
                tier=Tier.SUSPENDED,
                actor=JANE,
                note="x",
                now=house.clock(),
            )
        refund(otieno_s, paid, "10")
        otieno_s.is_refused(403, "account-suspended")
