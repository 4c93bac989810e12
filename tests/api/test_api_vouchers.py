"""Vouchers, by an app."""

from __future__ import annotations

import pytest
from app import kes, pages
from voucher_shop import opened

from core import money


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
    assert otieno_s.gets("/vouchers").json == {"batches": [], "next": None}


def test_five_wrong_codes_are_the_days_last(otieno_s):
    for left in (4, 3, 2, 1):
        otieno_s.posts("/vouchers/redeem", {"code": "12345678901234567894"})
        assert otieno_s.is_refused(404, "unknown-voucher")["tries_left"] == left
    for _ in range(2):
        otieno_s.posts("/vouchers/redeem", {"code": "12345678901234567894"})
        otieno_s.is_refused(403, "too-many-codes")


@pytest.mark.usefixtures("busy")
def test_more_than_a_hundred_batches_are_each_seen_once_while_others_come(shop, wanjiru, wanjiru_s):
    made: list[int] = []

    def issued(count):
        for _ in range(count):
            key = f"many-{len(made)}"
            made.append(shop.issue(wanjiru, count=1, value=money.kes(5_00), key=key))
            shop.issue(count=1, key=f"{key}-others")

    issued(105)
    walked = pages(wanjiru_s, "/vouchers", between=lambda: issued(2))
    seen = [batch["number"] for page in walked for batch in page["batches"]]
    assert (seen, len(made)) == (made[104::-1], 109)
    assert [len(page["batches"]) for page in walked] == [40, 40, 25]
    assert wanjiru_s.gets("/vouchers?limit=1").json["batches"][0]["number"] == made[-1]
    wanjiru_s.gets("/vouchers?limit=101")
    wanjiru_s.is_refused(422, "invalid-request")
