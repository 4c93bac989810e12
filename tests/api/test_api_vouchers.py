"""Vouchers, by an app."""

from __future__ import annotations

import pytest
from app import kes
from voucher_shop import opened


@pytest.fixture
def shop(house):
    with opened(house) as found:
        yield found


def test_a_vouchers_money_is_had_once(house, shop, wanjiru, wanjiru_s, otieno_s):
    code = shop.codes(wanjiru)[0]
    done = otieno_s.posts("/vouchers/redeem", {"code": code}, key="redeem-1")
    assert (done.status_code, done.json["lines"][0]["amount"]) == (201, kes("100.00"))
    assert otieno_s.posts("/vouchers/redeem", {"code": code}, key="redeem-1").json == done.json
    otieno_s.posts("/vouchers/redeem", {"code": code})
    otieno_s.is_refused(409, "voucher-used")
    [batch] = wanjiru_s.gets("/vouchers").json["batches"]
    assert (batch["count"], batch["redeemed"], batch["value"]) == (3, 1, kes("100.00"))
    assert otieno_s.gets("/vouchers").json["batches"] == []


def test_five_wrong_codes_are_the_days_last(otieno_s):
    for left in (4, 3, 2, 1):
        otieno_s.posts("/vouchers/redeem", {"code": "12345678901234567894"})
        assert otieno_s.is_refused(404, "unknown-voucher")["tries_left"] == left
    for _ in range(2):
        otieno_s.posts("/vouchers/redeem", {"code": "12345678901234567894"})
        otieno_s.is_refused(403, "too-many-codes")
