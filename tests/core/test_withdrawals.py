"""Withdrawals: set aside first, paid out once or back once, never twice and never both."""

from __future__ import annotations

import pytest
from rail import opened

from core import chart
from core.money import kes
from core.withdrawals import Came, State


@pytest.fixture
def rail(house):
    with opened(house) as found:
        found.fund()
        yield found


class TestPayingOut:
    def test_what_is_set_aside_goes_on(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru, 500_00)
        assert wanjiru.balance == kes(1_250_00 - 510_00)  # 5 for us, 5 for M-Pesa
        assert rail.balance(chart.HELD, wanjiru) == 510_00
        told = rail.complete(withdrawal, told=kes(500_00))
        assert (told.came, told.state) == (Came.DONE, State.PAID)
        assert rail.balance(chart.HELD, wanjiru) == 0
        assert rail.balance(chart.MPESA_UTILITY) == -100_000_00 + 500_00
        assert rail.balance(chart.MPESA_COSTS) == 5_00
        assert rail.told(wanjiru) == ["withdrawal-paid"]

    def test_or_comes_back(self, rail, wanjiru):
        withdrawal = rail.payout(wanjiru, 500_00)
        assert rail.bounce(withdrawal).state is State.FAILED
        assert wanjiru.balance == kes(1_250_00)
        assert rail.balance(chart.MPESA_UTILITY) == -100_000_00
        assert rail.told(wanjiru) == ["withdrawal-failed"]
