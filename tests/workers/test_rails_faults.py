"""
What goes wrong between us and a rail, for money that comes in: the row ends where it must,
the book is right, and whoever is concerned is told once.
"""

from __future__ import annotations

import json

import pytest
from rail_line import Line
from rails_under_test import NAMES, ngn
from sqlalchemy import func, select

from core import deposits
from core.db import transact
from core.inbox import Inbox
from workers import rail_work


@pytest.fixture(params=NAMES)
def line(request, house):
    return Line(house, request.param)


PAID_IN = 250_000


def credited(line) -> int:
    """What comes into an account of what is paid on a page: the tariff's share is ours."""
    fee = {"paystack": 150 * PAID_IN // 10_000 + 10_000, "flutterwave": 200 * PAID_IN // 10_000}
    return PAID_IN - fee[line.name]


class TestDeposit:
    def settled_once(self, line, deposit):
        assert line.deposit(deposit).state == "settled"
        assert line.has() == credited(line)
        assert line.told("deposit-settled") == 1
        assert line.agrees()
        assert line.cases() == []

    def test_is_credited_when_it_was_paid(self, line):
        deposit = line.page()
        line.person("pay", deposit)
        line.carry()
        line.works()
        self.settled_once(line, deposit)
        assert line.balance("costs:{rail}:ngn") == -PAID_IN * 150 // 10_000

    @pytest.mark.parametrize(
        "answer",
        [
            {"kind": "reset", "moved": True},
            {"kind": "html", "status": 502},
        ],
    )
    def test_1_a_page_whose_address_was_lost_is_known_to_nobody_so_another_is_made(
        self, line, answer
    ):
        line.fake.fault(on="initialise", answer=answer)
        deposit = line.asks()
        line.works()
        assert line.deposit(deposit).state == "expected"
        line.works(seconds=20)
        assert line.reference(deposit).endswith("-2")
        line.person("pay", deposit)
        line.carry()
        line.works()
        self.settled_once(line, deposit)

    def test_1_after_five_pages_that_were_not_made_it_has_failed(self, line):
        line.fake.fault(on="initialise", next=9, answer={"kind": "http", "status": 500})
        deposit = line.asks()
        for _ in range(7):
            line.works(seconds=20)
        assert (line.deposit(deposit).state, line.deposit(deposit).code) == ("failed", "no-page")
        assert len(line.fake.book()["charges"]) == 0
        assert line.told("deposit-failed") == 1

    def test_1_a_page_that_is_refused_has_failed_at_once(self, line):
        line.fake.fault(on="initialise", answer={"kind": "error", "message": "No such currency"})
        deposit = line.asks()
        line.works()
        assert line.deposit(deposit).state == "failed"
        assert line.told("deposit-failed") == 1

    def test_3_a_webhook_that_is_there_before_our_word_of_the_page_changes_nothing(self, line):
        deposit = line.asks()
        begin = lambda session: deposits.begin_page(  # noqa: E731
            session, deposit=deposit, now=line.house.clock()
        )
        page = transact(line.house.databases["worker"], begin)
        rail = line.house_rail
        made = rail.initialise(reference=page.rail_reference, amount=page.amount)
        line.fake.person("pay", page.rail_reference)
        line.carry()
        line.works()
        assert line.deposit(deposit).state == "expected"
        record = lambda session: deposits.opened(  # noqa: E731
            session,
            deposit=deposit,
            rail_reference=page.rail_reference,
            url=made.url,
            now=line.house.clock(),
        )
        transact(line.house.databases["worker"], record)
        line.works(minutes=3)
        self.settled_once(line, deposit)

    def test_4_webhooks_come_twice_and_later_again(self, line):
        deposit = line.page()
        line.fake.fault(on="pay", news={"kind": "twice"})
        line.person("pay", deposit)
        line.carry(0)
        line.carry(1)
        line.works()
        body, headers = line.fake.webhook()
        for minutes in (1, 300):
            line.works(minutes=minutes)
            line.post(body, headers)
            line.works()
        self.settled_once(line, deposit)

    def test_4_the_same_news_in_other_bytes_is_no_other_payment(self, line):
        deposit = line.page()
        line.person("pay", deposit)
        line.carry()
        line.works()
        line.signed(deposit, metadata={"again": True})
        line.works()
        self.settled_once(line, deposit)

    def test_4_news_of_one_payment_settles_no_other(self, line):
        first, second = line.page(), line.page()
        line.person("pay", first)
        line.signed(second)
        line.works()
        assert line.deposit(second).state == "prompted"
        line.carry()
        line.works()
        self.settled_once(line, first)

    def test_5_what_no_webhook_told_is_asked_for(self, line):
        deposit = line.page()
        line.fake.fault(on="pay", news={"kind": "lost"})
        line.person("pay", deposit)
        line.works(seconds=60)
        assert line.deposit(deposit).state == "prompted"
        line.works(seconds=70)
        self.settled_once(line, deposit)

    def test_5_a_failure_that_nobody_told_is_learnt_too(self, line):
        deposit = line.page()
        line.person("fail", deposit)
        line.works(minutes=3)
        assert (line.deposit(deposit).state, line.deposit(deposit).code) == ("prompted", "declined")
        line.house.clock.passes(minutes=30)
        line.sweeps()
        assert (line.deposit(deposit).state, line.deposit(deposit).code) == ("expired", "declined")
        assert (line.told("deposit-failed"), line.told("deposit-expired")) == (1, 0)
        assert line.has() == 0

    def test_6_what_is_under_way_is_waited_for(self, line):
        deposit = line.page()
        for minutes in (2, 2, 2, 4):
            line.works(minutes=minutes)
        assert line.deposit(deposit).state == "prompted"
        line.person("pay", deposit)
        line.works(minutes=15)
        self.settled_once(line, deposit)

    def test_7_a_try_that_was_declined_may_be_made_good_on_the_same_page(self, line):
        deposit = line.page()
        line.person("fail", deposit)
        line.works(minutes=3)
        line.person("pay", deposit)
        line.carry()
        line.works()
        self.settled_once(line, deposit)

    @pytest.mark.parametrize("is_lost", [False, True])
    def test_7_paid_just_after_we_had_said_that_it_failed_is_credited(self, line, is_lost):
        deposit = line.page()
        line.person("fail", deposit)
        line.works(minutes=3)
        line.house.clock.passes(minutes=30)
        line.sweeps()
        assert line.told("deposit-failed") == 1
        if is_lost:
            line.fake.fault(on="pay", news={"kind": "lost"})
        line.person("pay", deposit)
        if not is_lost:
            line.carry()
        line.works(hours=2 if is_lost else 0)
        self.settled_once(line, deposit)

    def test_7_given_back_after_it_was_credited_is_for_staff_and_nobody_loses_it(self, line):
        deposit = line.page()
        line.person("pay", deposit)
        line.carry()
        line.works()
        line.person("refund", deposit)
        line.carry()
        line.works()
        [case] = line.cases()
        assert (line.deposit(deposit).state, case.kind) == ("settled", "conflict")
        assert line.has() == credited(line)
        assert line.told("deposit-settled") == 1

    def test_7_given_back_in_silence_is_learnt_within_days(self, line):
        deposit = line.page()
        line.person("pay", deposit)
        line.carry()
        line.works()
        line.person("refund", deposit)
        line.works(days=1, hours=1)
        [case] = line.cases()
        assert (line.deposit(deposit).state, case.kind) == ("settled", "conflict")

    @pytest.mark.parametrize(
        "answer",
        [
            {"kind": "html", "status": 200},
            {"kind": "error", "status": 400, "message": "Try again"},
        ],
    )
    def test_8_an_answer_that_says_nothing_is_no_answer(self, line, answer):
        deposit = line.page()
        line.person("pay", deposit)
        line.fake.fault(on="verify", next=2, answer=answer)
        line.carry()
        line.works()
        line.works(minutes=3)
        assert line.deposit(deposit).state == "prompted"
        line.works(minutes=30)
        self.settled_once(line, deposit)

    def test_9_one_payment_is_good_for_one_deposit(self, line):
        first, second = line.page(), line.page()
        line.person("pay", first)
        line.carry()
        line.works()
        now, receipt = line.house.clock(), line.deposit(first).receipt
        paid = lambda session: deposits.paid(  # noqa: E731
            session,
            deposit=second,
            rail_reference=line.reference(second),
            receipt=receipt,
            told=ngn(PAID_IN),
            cost=None,
            now=now,
        )
        transact(line.house.databases["worker"], paid)
        [case] = line.cases()
        assert (line.deposit(second).state, case.kind) == ("review", "replayed")
        assert line.has() == credited(line)

    def test_10_paid_after_we_had_said_that_it_expired_is_credited(self, line):
        deposit = line.page()
        line.house.clock.passes(minutes=31)
        line.sweeps()
        assert line.deposit(deposit).state == "expired"
        assert line.told("deposit-expired") == 1
        line.person("pay", deposit)
        line.fake.fault(on="pay", news={"kind": "lost"})
        line.works(hours=2)
        self.settled_once(line, deposit)

    def test_10_what_nobody_pays_is_let_be_after_a_day(self, line):
        deposit = line.page()
        line.house.clock.passes(hours=25)
        line.sweeps()
        line.sweeps()
        assert line.deposit(deposit).state == "expired"
        assert line.deposit(deposit).next_ask_at is None
        assert line.cases() == []

    def test_11_a_key_that_is_wrong_holds_everything_and_loses_nothing(self, line):
        line.fake.fault(on="initialise", answer={"kind": "error", "status": 401})
        deposit = line.asks()
        line.works()
        assert line.deposit(deposit).state == "expected"
        line.works(minutes=1)
        line.person("pay", deposit)
        line.fake.fault(on="verify", answer={"kind": "error", "status": 401})
        line.carry()
        line.works()
        assert line.deposit(deposit).state == "prompted"
        line.works(minutes=5)
        self.settled_once(line, deposit)

    def test_12_what_was_too_fast_goes_on_and_none_is_lost_or_doubled(self, line):
        made = [line.asks(ngn(100_000)) for _ in range(5)]
        line.fake.fault(on="initialise", next=4, answer={"kind": "throttled"})
        line.works()
        line.works(minutes=1)
        for deposit in made:
            line.person("pay", deposit)
        for number in range(5):
            line.carry(number)
        line.works()
        assert {line.deposit(deposit).state for deposit in made} == {"settled"}
        assert line.told("deposit-settled") == 5
        assert line.agrees()

    def test_13_reversed_before_it_was_credited_is_no_payment(self, line):
        deposit = line.page()
        line.person("pay", deposit)
        line.person("refund", deposit)
        line.carry(0)
        line.works()
        assert (line.deposit(deposit).state, line.deposit(deposit).code) == ("failed", "reversed")
        assert line.has() == 0

    @pytest.mark.parametrize("currency", ["NGN", "KES"])
    def test_15_another_amount_or_currency_is_for_staff_and_stands_in_suspense(
        self, line, currency
    ):
        deposit = line.page()
        line.fake.fault(on="pay", amount=10_000, currency=currency)
        line.person("pay", deposit)
        line.carry()
        line.works()
        [case] = line.cases()
        assert (line.deposit(deposit).state, case.kind) == ("review", "mismatch")
        assert (case.amount, case.currency) == (10_000, currency)
        assert line.has() == 0
        assert line.balance("suspense:{rail}:" + currency.lower()) == 10_000
        assert line.told("deposit-in-review") == 1

    def test_15_a_currency_that_we_do_not_hold_is_for_staff_alone(self, line):
        deposit = line.page()
        line.fake.fault(on="pay", amount=10_000, currency="GHS")
        line.person("pay", deposit)
        line.carry()
        line.works()
        line.signed(deposit, again=1)
        line.works()
        [case] = line.cases()
        assert (line.deposit(deposit).state, case.amount) == ("review", 0)

    def test_15_forged_news_is_turned_away_and_true_news_is_still_asked_about(self, line):
        deposit = line.page()
        body = line.body(deposit)
        line.post(body, {"x-paystack-signature": "0" * 128, "verif-hash": "guess"}, expect=401)
        line.works()
        line.signed(deposit)  # as who has the secret could: nobody has paid
        line.works()
        assert line.deposit(deposit).state == "prompted"
        assert line.has() == 0

    @pytest.mark.parametrize("reference", ["DAAAAAAAAA-1", "'; --"])
    def test_15_news_of_what_we_do_not_know_is_taken_and_means_nothing(self, line, reference):
        line.signed(None, reference=reference)
        line.works()
        assert line.cases() == []

    def test_16_every_job_may_run_twice(self, line):
        deposit = line.asks()
        for _ in range(3):
            rail_work.work()
        line.person("pay", deposit)
        line.carry()
        for _ in range(3):
            line.works()
            rail_work.work()
        self.settled_once(line, deposit)

    def test_16_a_hand_that_dies_while_it_asks_for_a_page_is_followed_by_another(self, line):
        deposit = line.asks()
        begin = lambda session: deposits.begin_page(  # noqa: E731
            session, deposit=deposit, now=line.house.clock()
        )
        page = transact(line.house.databases["worker"], begin)
        line.house_rail.initialise(reference=page.rail_reference, amount=page.amount)
        line.works()
        assert line.deposit(deposit).state == "expected"
        line.works(seconds=61)
        assert line.reference(deposit).endswith("-2")

    def test_17_a_redis_that_forgets_everything_loses_nothing(self, line):
        deposit = line.page()
        line.person("pay", deposit)
        line.carry()
        line.house.relay.once()
        line.house.redis.flushdb()
        line.works(seconds=11)
        self.settled_once(line, deposit)


def test_a_webhook_body_is_never_an_error_of_ours(line):
    for body in (b"{", b"[]", b'{"event":{}}', json.dumps({"event": "x", "data": None}).encode()):
        line.post(body, line.sign(body))
    line.works()
    with line.owner() as session:
        undone = session.scalar(select(func.count()).where(Inbox.done_at.is_(None)))
    assert undone == 0
