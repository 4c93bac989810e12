"""Deposits: what was asked for is credited once, whatever is told, however often."""

from __future__ import annotations

import pytest
from rail import opened

from core import chart
from core.deposits import Came, State
from core.money import kes


@pytest.fixture
def rail(house):
    with opened(house) as found:
        yield found


class TestSettling:
    def test_what_was_asked_for_is_credited(self, rail, otieno):
        deposit = rail.prompt(otieno, 500_00)
        told = rail.settle(deposit, told=kes(500_00), payer=otieno.phone.msisdn)
        assert (told.came, told.state) == (Came.CREDITED, State.SETTLED)
        assert otieno.balance == kes(500_00)
        assert rail.balance(chart.MPESA_PAYBILL) == -500_00
        assert rail.told(otieno) == ["deposit-settled"]

    def test_once_however_often_it_is_told(self, rail, otieno):
        deposit = rail.prompt(otieno)
        rail.settle(deposit)
        assert rail.settle(deposit).came is Came.AGAIN
        assert otieno.balance == kes(500_00)
        assert rail.told(otieno) == ["deposit-settled"]

    def test_a_failure_moves_nothing(self, rail, otieno):
        deposit = rail.prompt(otieno)
        assert rail.fail(deposit) is State.FAILED
        assert rail.fail(deposit) is State.FAILED
        assert otieno.balance == kes(0)
        assert rail.told(otieno) == ["deposit-failed"]
