"""
What goes wrong between us and a rail, for money that goes out: the row ends where it must,
the book is right, and whoever is concerned is told once.
"""

from __future__ import annotations

import pytest
from rail_line import Line
from rails_under_test import NAMES

from core import limits, withdrawals
from core.db import transact
from workers import rail_work


@pytest.fixture(params=NAMES)
def line(request, house):
    return Line(house, request.param)


class TestPayout:
    AMOUNT = 100_000

    @pytest.fixture(autouse=True)
    def _funded(self, line):
        line.funded()
        line.had = line.has()

    def cost(self, line) -> int:
        row = line.withdrawal(line.newest)
        return row.amount + row.fee + row.tariff

    def orders(self, line) -> int:
        line.newest = line.orders(self.AMOUNT)
        return line.newest

    def left(self, line) -> limits.Allowance:
        with line.house.databases["worker"]() as session:
            return limits.allowance(session, subscriber=line.ngozi().id, now=line.house.clock())

    def test_what_failed_has_used_up_nothing_of_the_limits_whatever_its_currency(self, line):
        before = self.left(line)
        for _ in range(2):
            withdrawal = self.orders(line)
            assert self.left(line).today < before.today
            line.works()
            line.bank("failed", withdrawal)
            line.works(minutes=3)
            assert line.withdrawal(withdrawal).state == "failed"
            assert self.left(line) == before
        assert line.house.bank.rows("SELECT DISTINCT amount, count FROM spending") == [(0, 0)]

    def paid_once(self, line, withdrawal):
        assert line.withdrawal(withdrawal).state == "paid"
        assert line.has() == line.had - self.cost(line)
        assert line.held() == 0
        assert line.told("withdrawal-paid") == 1
        assert len(line.fake.book()["transfers"]) == 1
        assert line.agrees()
        assert line.cases() == []

    def back(self, line, withdrawal):
        assert line.has() == line.had
        assert line.held() == 0
        assert line.told("withdrawal-failed") == 1
        assert line.told("withdrawal-paid") in (0, 1)
        assert line.agrees()

    def test_reaches_its_payee(self, line):
        withdrawal = self.orders(line)
        line.works()
        assert line.withdrawal(withdrawal).state == "sent"
        line.bank("paid", withdrawal)
        line.carry()
        line.works()
        self.paid_once(line, withdrawal)
        [there] = line.fake.book()["transfers"]
        assert there["reference"] == line.payout(withdrawal)

    @pytest.mark.parametrize(
        "answer",
        [
            {"kind": "reset", "moved": True},
            {"kind": "html", "status": 200, "moved": True},
        ],
    )
    def test_2_an_answer_that_was_lost_is_asked_for_and_nothing_is_sent_twice(self, line, answer):
        line.fake.fault(on="transfer", answer=answer)
        withdrawal = self.orders(line)
        line.works()
        assert line.withdrawal(withdrawal).state == "unsure"
        line.works(minutes=3)
        assert line.withdrawal(withdrawal).state == "sent"
        line.bank("paid", withdrawal)
        line.works(minutes=30)
        self.paid_once(line, withdrawal)

    @pytest.mark.parametrize("answer", [{"kind": "reset"}, {"kind": "http", "status": 500}])
    def test_2_what_never_arrived_is_sent_again_under_the_same_reference(self, line, answer):
        line.fake.fault(on="transfer", answer=answer)
        withdrawal = self.orders(line)
        line.works()
        reference = line.payout(withdrawal)
        for minutes in (3, 3, 8):
            line.works(minutes=minutes)
        assert line.fake.book()["transfers"] == []
        line.works(minutes=30)
        line.works(minutes=1)
        assert line.payout(withdrawal) == reference
        line.bank("paid", withdrawal)
        line.works(minutes=30)
        self.paid_once(line, withdrawal)

    def test_2_a_reference_that_was_used_is_asked_about_not_believed(self, line):
        line.fake.fault(on="transfer", answer={"kind": "reset", "moved": True})
        line.fake.fault(
            on="transfer",
            answer={"kind": "error", "message": "Reference already exists on a transfer"},
        )
        withdrawal = self.orders(line)
        line.works()
        line.works(minutes=3)
        line.bank("paid", withdrawal)
        line.works(minutes=30)
        self.paid_once(line, withdrawal)

    def test_3_a_webhook_that_is_there_before_the_answer_settles_it(self, line):
        withdrawal = self.orders(line)
        begin = lambda session: withdrawals.begin(  # noqa: E731
            session, withdrawal=withdrawal, token_hash=b"\1" * 32, now=line.house.clock()
        )
        payout = transact(line.house.databases["worker"], begin)
        record = rail_work._sent(line.have, line.house_rail, payout)
        line.bank("paid", withdrawal)
        line.carry()
        line.works()
        transact(line.house.databases["worker"], record)
        self.paid_once(line, withdrawal)

    def test_4_webhooks_come_twice_and_later_again(self, line):
        withdrawal = self.orders(line)
        line.works()
        line.bank("paid", withdrawal)
        body, headers = line.fake.webhook()
        for minutes in (0, 1, 300):
            line.house.clock.passes(minutes=minutes)
            line.post(body, headers)
            line.works()
        self.paid_once(line, withdrawal)

    def test_5_what_no_webhook_told_is_asked_for(self, line):
        withdrawal = self.orders(line)
        line.works()
        line.bank("paid", withdrawal)
        line.works(minutes=3)
        self.paid_once(line, withdrawal)

    def test_6_what_is_under_way_is_waited_for(self, line):
        withdrawal = self.orders(line)
        for minutes in (0, 3, 3, 10):
            line.works(minutes=minutes)
        assert line.withdrawal(withdrawal).state == "sent"
        line.bank("paid", withdrawal)
        line.works(minutes=30)
        self.paid_once(line, withdrawal)

    def test_a_payout_that_fails_comes_back_fee_and_all(self, line):
        withdrawal = self.orders(line)
        line.works()
        line.bank("failed", withdrawal)
        line.carry()
        line.works()
        assert line.withdrawal(withdrawal).state == "failed"
        self.back(line, withdrawal)

    def test_a_payee_that_is_refused_comes_back_at_once(self, line):
        line.fake.fault(
            on="transfer", answer={"kind": "error", "message": "Account number is invalid"}
        )
        withdrawal = self.orders(line)
        line.works()
        assert line.withdrawal(withdrawal).state == "failed"
        assert line.fake.book()["transfers"] == []
        self.back(line, withdrawal)

    def test_7_a_payout_that_comes_back_after_it_was_paid_is_given_back(self, line):
        withdrawal = self.orders(line)
        line.works()
        line.bank("paid", withdrawal)
        line.carry()
        line.works()
        line.bank("reversed", withdrawal)
        line.carry()
        line.works()
        line.carry()
        line.works()
        assert line.withdrawal(withdrawal).state == "returned"
        assert line.agrees()
        assert line.told("withdrawal-paid") == 1
        assert line.has() == line.had
        assert line.held() == 0
        assert line.told("withdrawal-failed") == 1
        assert line.cases() == []

    def test_7_a_payout_that_comes_back_in_silence_is_learnt_within_days(self, line):
        withdrawal = self.orders(line)
        line.works()
        line.bank("paid", withdrawal)
        line.carry()
        line.works()
        line.fake.fault(on="pay", news={"kind": "lost"})
        line.bank("reversed", withdrawal)
        line.works(hours=2)
        assert line.withdrawal(withdrawal).state == "paid"
        line.works(days=1)
        assert line.withdrawal(withdrawal).state == "returned"
        assert line.has() == line.had
        assert line.agrees()

    def test_7_a_failure_told_after_it_was_paid_is_for_staff(self, line):
        withdrawal = self.orders(line)
        line.works()
        line.bank("paid", withdrawal)
        line.carry()
        line.works()
        fail = lambda session: withdrawals.fail(  # noqa: E731
            session,
            withdrawal=withdrawal,
            code="failed",
            why="",
            now=line.house.clock(),
            confirmed=True,
        )
        transact(line.house.databases["worker"], fail)
        [case] = line.cases()
        assert (line.withdrawal(withdrawal).state, case.kind) == ("paid", "conflict")
        assert line.has() == line.had - self.cost(line)

    @pytest.mark.parametrize(
        "answer",
        [
            {"kind": "html", "status": 200},
            {"kind": "error", "status": 400, "message": "Try again"},
        ],
    )
    def test_8_an_answer_that_says_nothing_is_no_answer(self, line, answer):
        withdrawal = self.orders(line)
        line.works()
        line.bank("paid", withdrawal)
        line.fake.fault(on="verify-transfer", next=2, answer=answer)
        line.works(minutes=3)
        line.works(minutes=3)
        assert line.withdrawal(withdrawal).state == "sent"
        line.works(minutes=30)
        self.paid_once(line, withdrawal)

    @pytest.mark.parametrize(
        "answer",
        [
            {"kind": "error", "status": 401},
            {"kind": "error", "status": 400, "message": "Your balance is not enough: insufficient"},
        ],
    )
    def test_11_what_staff_must_mend_stops_payouts_and_loses_none(self, line, answer):
        line.fake.fault(on="transfer", answer=answer)
        withdrawal = self.orders(line)
        line.works()
        assert line.withdrawal(withdrawal).state == "requested"
        line.works(minutes=5)
        assert line.fake.book()["transfers"] == []
        line.works(minutes=11)
        line.bank("paid", withdrawal)
        line.works(minutes=30)
        self.paid_once(line, withdrawal)

    def test_12_what_was_too_fast_goes_on_and_none_is_lost_or_doubled(self, line):
        made = [line.orders(20_000) for _ in range(5)]
        line.fake.fault(on="transfer", next=4, answer={"kind": "throttled"})
        line.works()
        line.works(minutes=1)
        for withdrawal in made:
            line.bank("paid", withdrawal)
        line.works(minutes=3)
        line.works(minutes=30)
        assert {line.withdrawal(each).state for each in made} == {"paid"}
        assert len(line.fake.book()["transfers"]) == 5
        assert line.agrees()

    def test_13_reversed_while_it_was_under_way_comes_back(self, line):
        withdrawal = self.orders(line)
        line.works()
        line.bank("reversed", withdrawal)
        line.carry()
        line.works()
        assert line.withdrawal(withdrawal).state == "failed"
        self.back(line, withdrawal)

    def test_15_news_of_what_we_do_not_know_is_taken_and_means_nothing(self, line):
        line.signed(None, event="transfer.success", reference="p_0123456789abcdefghjkmnpqrs")
        line.works()
        assert line.cases() == []

    def test_15_success_told_by_webhook_alone_is_not_believed(self, line):
        withdrawal = self.orders(line)
        line.works()
        line.signed(None, event="transfer.success", reference=line.payout(withdrawal))
        line.works()
        assert line.withdrawal(withdrawal).state == "sent"

    def test_16_a_hand_that_dies_after_the_call_leaves_one_payout(self, line):
        withdrawal = self.orders(line)
        begin = lambda session: withdrawals.begin(  # noqa: E731
            session, withdrawal=withdrawal, token_hash=b"\1" * 32, now=line.house.clock()
        )
        payout = transact(line.house.databases["worker"], begin)
        rail_work._sent(line.have, line.house_rail, payout)  # and is killed before it records it
        line.works(minutes=3)
        line.sweeps()
        line.works()
        assert line.withdrawal(withdrawal).state == "sent"
        line.bank("paid", withdrawal)
        line.works(minutes=30)
        self.paid_once(line, withdrawal)

    def test_16_every_job_may_run_twice(self, line):
        withdrawal = self.orders(line)
        for _ in range(3):
            rail_work.work()
        line.bank("paid", withdrawal)
        line.carry()
        for _ in range(3):
            line.works()
            rail_work.work()
        self.paid_once(line, withdrawal)

    def test_17_a_redis_that_forgets_everything_loses_nothing(self, line):
        withdrawal = self.orders(line)
        line.house.relay.once()
        line.house.redis.flushdb()
        line.works(seconds=11)
        line.bank("paid", withdrawal)
        line.carry()
        line.house.redis.flushdb()
        line.works(seconds=11)
        self.paid_once(line, withdrawal)

    def test_beyond_what_the_rail_holds_for_us_nothing_is_asked_for(self, line):
        line.drain()
        withdrawal = self.orders(line)
        line.works()
        row = line.withdrawal(withdrawal)
        assert (row.state, row.code) == ("requested", "float-short")
        assert line.fake.book()["transfers"] == []
