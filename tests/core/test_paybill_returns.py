"""Paybill: what is sent back to who paid it, also where the answer to that is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core import chart, inquiries, resolutions
from core.paybill import State
from core.suspense import SuspenseClosed

RECEIPT = "RKL51ZDR4F"


@pytest.mark.parametrize("end", ["lost", "failed", "never asked"])
def test_a_return_may_be_asked_for_again_where_no_answer_came(rail, end):
    rail.pay(RECEIPT, "nobody", 500_00)
    rail.decide("begin_return")
    asked = rail.ask_back(1) if end != "never asked" else None
    if asked:
        with pytest.raises(SuspenseClosed):
            rail.decide("begin_return", case=1)
    if end == "lost":
        rail.house.clock.passes(minutes=16)
        rail.worker(
            lambda session: inquiries.lose(session, now=rail.now, after=timedelta(minutes=15))
        )
    elif end == "failed":
        rail.worker(
            lambda session: inquiries.failed(session, inquiry=asked, why="no", now=rail.now)
        )
    assert rail.decide("begin_return", case=1).receipt == RECEIPT
    assert rail.returned(1)
    assert rail.payment_state(RECEIPT) == State.RETURNED


def test_what_went_back_after_all_is_no_longer_there(rail, otieno):
    """Of two askings, one failed and one did not."""
    rail.pay(RECEIPT, "nobody", 500_00)
    rail.decide("begin_return")
    rail.return_failed(1)
    assert rail.returned(1)
    with pytest.raises(SuspenseClosed):
        rail.decide("credit", case=1, person=rail.person(otieno))
    assert rail.balance(chart.MPESA_SUSPENSE) == 0


class TestRefused:
    """Of several askings: what may have been carried out is not given to anybody else."""

    @pytest.fixture
    def first(self, rail):
        rail.pay(RECEIPT, "nobody", 500_00)
        rail.decide("begin_return")
        return rail.ask_back(1)

    def lose(self, rail):
        rail.house.clock.passes(minutes=16)
        rail.worker(
            lambda session: inquiries.lose(session, now=rail.now, after=timedelta(minutes=15))
        )

    def state(self, rail):
        return rail.house.bank.one("SELECT state FROM suspense_cases")

    def test_one_that_is_refused_is_open_again(self, rail, first):
        rail.answered_back(first, is_refused=True)
        assert rail.return_failed(1)
        assert self.state(rail) == "open"

    def test_not_where_an_earlier_answer_was_lost(self, rail, first, otieno):
        self.lose(rail)
        rail.decide("begin_return", case=1)
        again = rail.ask_back(1)
        rail.worker(
            lambda session: inquiries.failed(session, inquiry=again, why="no", now=rail.now)
        )
        assert not rail.return_failed(1)
        with pytest.raises(SuspenseClosed):
            rail.decide("credit", case=1, person=rail.person(otieno))
        rail.answered_back(first, is_refused=True)
        assert rail.return_failed(1), "the late answer to the first"

    def test_nor_where_a_later_one_is_on_its_way(self, rail, first, otieno):
        self.lose(rail)
        rail.decide("begin_return", case=1)
        again = rail.ask_back(1)
        rail.answered_back(first, is_refused=True)
        assert not rail.return_failed(1)
        assert self.state(rail) == "returning"
        rail.answered_back(again, is_refused=False)
        assert rail.returned(1)
        assert rail.balance(chart.MPESA_SUSPENSE) == 0

    def test_nothing_is_asked_of_a_case_that_is_not_on_its_way_back(self, rail, first):
        rail.answered_back(first, is_refused=True)
        rail.return_failed(1)
        with pytest.raises(SuspenseClosed):
            rail.worker(lambda session: resolutions.require_returning(session, case=1))
