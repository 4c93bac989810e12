"""Money set aside for a shop: by its owner's PIN, and taken or given back by the shop, once."""

from __future__ import annotations

import pytest
from app import App, kes

from workers import ledger

SHOP = "+254722000009"


@pytest.fixture
def till(house):
    house.register(SHOP, name="Duka")
    return house.opens_till(SHOP)


@pytest.fixture
def shop_s(house, till):
    return App(house.app.test_client(), house.logged_in(SHOP))


@pytest.fixture
def asked(till):
    return {"till": till, "amount": kes("300.00"), "pin": "4071"}


def balances(app):
    [balance] = app.gets("/wallet").json["balances"]
    return balance["available"]["value"], balance["held"]["value"]


def test_money_is_set_aside_and_taken_by_the_shop(house, wanjiru_s, shop_s, asked):
    placed = wanjiru_s.posts("/holds", asked)
    assert (placed.status_code, placed.json["kind"], placed.json["state"]) == (201, "hold", "done")
    reference = placed.json["reference"]
    assert placed.json["lines"][0]["amount"] == kes("-300.00")
    assert balances(wanjiru_s) == ("950.00", "300.00")
    shown = shop_s.gets(f"/holds/{reference}").json
    assert (shown["side"], shown["state"], shown["other"]["name"]) == (
        "merchant",
        "open",
        "Wanjiru",
    )
    taken = shop_s.posts(f"/holds/{reference}/capture", {"amount": kes("200.00")})
    assert (taken.status_code, taken.json["state"]) == (201, "done")
    [line] = taken.json["lines"]
    assert (line["amount"], line["fee"]) == (kes("200.00"), kes("1.00"))
    assert balances(wanjiru_s) == ("1050.00", "0.00")
    got = float(balances(shop_s)[0])
    assert 190 < got < 200, "the shop bears the fee"
    shown = wanjiru_s.gets("/holds").json["holds"]
    assert [(each["state"], each["captured"], each["side"]) for each in shown] == [
        ("captured", kes("200.00"), "owner")
    ]
    told = " ".join(each["message"] for each in house.messages("+254712000001"))
    assert "You set aside KES 300.00 for Duka until" in told
    assert "Duka took KES 200.00 of what you had set aside" in told
    assert "KES 100.00 came back to you." in told
    told = " ".join(each["message"] for each in house.messages(SHOP))
    assert "Wanjiru set aside KES 300.00 for you until" in told
    assert "You took KES 200.00 that Wanjiru had set aside" in told


def test_what_is_given_back_is_there_again_and_nothing_is_resolved_twice(
    house, wanjiru_s, shop_s, asked
):
    reference = wanjiru_s.posts("/holds", asked).json["reference"]
    assert shop_s.posts(f"/holds/{reference}/release").status_code == 201
    assert balances(wanjiru_s) == ("1250.00", "0.00")
    for way in ("capture", "release"):
        shop_s.posts(f"/holds/{reference}/{way}")
        shop_s.is_refused(409, "hold-resolved")
    assert balances(wanjiru_s) == ("1250.00", "0.00")
    told = " ".join(each["message"] for each in house.messages("+254712000001"))
    assert "KES 300.00 you had set aside for Duka came back to you" in told


def test_only_the_shop_resolves_it(house, wanjiru_s, otieno_s, shop_s, asked):
    reference = wanjiru_s.posts("/holds", asked).json["reference"]
    for app in (wanjiru_s, otieno_s):
        for way in ("capture", "release"):
            app.posts(f"/holds/{reference}/{way}")
            app.is_refused(404, "unknown-hold")
    otieno_s.gets(f"/holds/{reference}")
    otieno_s.is_refused(404, "unknown-hold")


def test_no_more_than_is_there_and_no_more_than_is_allowed(wanjiru_s, shop_s, asked):
    wanjiru_s.posts("/holds", asked | {"amount": kes("1250.01")})
    wanjiru_s.is_refused(409, "insufficient-funds")
    wanjiru_s.posts("/holds", asked | {"pin": "9999"})
    wanjiru_s.is_refused(403, "wrong-pin")
    reference = wanjiru_s.posts("/holds", asked).json["reference"]
    shop_s.posts(f"/holds/{reference}/capture", {"amount": kes("300.01")})
    shop_s.is_refused(422, "hold-too-small")


def test_it_counts_against_the_days_limit(house, wanjiru_s, shop_s, asked):
    before = house.bank.one("SELECT coalesce(sum(amount), 0) FROM spending")
    wanjiru_s.posts("/holds", asked)
    assert house.bank.one("SELECT sum(amount) FROM spending") == before + 300_00


def test_when_its_time_is_over_it_comes_back_and_cannot_be_taken(house, wanjiru_s, shop_s, asked):
    reference = wanjiru_s.posts("/holds", asked | {"days": 1}).json["reference"]
    house.clock.passes(days=1, minutes=1)
    late = App(house.app.test_client(), house.logged_in(SHOP))
    late.posts(f"/holds/{reference}/capture")
    late.is_refused(409, "hold-resolved")
    ledger.expire_holds()
    again = App(house.app.test_client(), house.logged_in("+254712000001"))
    assert balances(again) == ("1250.00", "0.00")


def test_the_same_key_sets_aside_once(house, wanjiru_s, asked):
    first = wanjiru_s.posts("/holds", asked, key="hold-0001")
    again = wanjiru_s.posts("/holds", asked, key="hold-0001")
    assert first.json == again.json
    assert house.bank.one("SELECT count(*) FROM holds") == 1


def test_they_are_listed_page_by_page_and_the_open_ones_alone(wanjiru_s, shop_s, asked):
    made = [
        wanjiru_s.posts("/holds", asked | {"amount": kes("20.00")}).json["reference"]
        for _ in range(3)
    ]
    shop_s.posts(f"/holds/{made[1]}/release", {})
    first = shop_s.gets("/holds?limit=2").json
    assert [each["reference"] for each in first["holds"]] == [made[2], made[1]]
    rest = shop_s.gets(f"/holds?limit=2&cursor={first['next']}").json
    assert ([each["reference"] for each in rest["holds"]], rest["next"]) == ([made[0]], None)
    still = shop_s.gets("/holds?state=open&limit=2").json
    assert ([each["reference"] for each in still["holds"]], still["next"]) == (
        [made[2], made[0]],
        None,
    )
    shop_s.gets("/holds?cursor=nothing")
    shop_s.is_refused(422, "invalid-request")
