"""Paybill: what is sent back to who paid it, also where the answer to that is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rail import opened

from core import chart, inquiries
from core.paybill import State
from core.suspense import SuspenseClosed

RECEIPT = "RKL51ZDR4F"


@pytest.fixture
def rail(house):
    with opened(house) as found:
        yield found


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
