"""M-Pesa's hands against the sandbox's Safaricom, over HTTP; its callbacks come by themselves."""

from __future__ import annotations

from safaricom import until

from core import chart
from core.money import kes


def letters(house) -> int:
    """How many callbacks have come about payments."""
    return house.bank.one(
        "SELECT count(*) FROM inbox WHERE provider = 'mpesa' AND kind NOT LIKE 'inquiry-%'"
    )


class TestDeposits:
    def test_money_comes_in(self, rail, house, wanjiru):
        house.safaricom.phone("+254712000001", balance="2000.00")
        deposit = rail.expect(wanjiru, 500_00)
        house.clock.passes(seconds=3)
        house.safaricom_works()
        until(lambda: letters(house) == 1)
        house.safaricom_works()
        assert rail.deposit_state(deposit) == "settled"
        assert wanjiru.balance == kes(1_750_00)
        assert (
            house.bank.one("SELECT receipt FROM deposits")
            == (house.safaricom.transactions()[-1]["receipt"])
        )
        assert rail.told(wanjiru) == ["deposit-settled"]

    def test_or_is_cancelled(self, rail, house, wanjiru):
        house.safaricom.terms(phones="cancel")
        deposit = rail.expect(wanjiru, 500_00)
        house.clock.passes(seconds=3)
        house.safaricom_works()
        until(lambda: letters(house) == 1)
        house.safaricom_works()
        assert rail.deposit_state(deposit) == "failed"
        assert rail.told(wanjiru) == ["deposit-failed"]


class TestWithdrawals:
    def test_money_goes_out(self, rail, house, wanjiru):
        moved = house.safaricom.moving()
        withdrawal = rail.withdraw(wanjiru, 500_00)
        house.safaricom_works()
        until(lambda: letters(house) == 1)
        house.safaricom_works()
        assert rail.withdrawal_state(withdrawal) == "paid"
        assert rail.balance(chart.MPESA_UTILITY) == -100_000_00 + 500_00
        assert moved("b2c") == 500
        assert rail.told(wanjiru) == ["withdrawal-paid"]
