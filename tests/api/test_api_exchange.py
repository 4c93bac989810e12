"""Money of one currency for another's, by an app."""

from __future__ import annotations

from app import kes
from currencies import give, held, tell_rates

from core.money import Currency, Money


def usd(value):
    return {"value": value, "currency": "USD"}


def test_anybody_may_ask_what_money_is_worth(house, app):
    assert app.gets("/exchange/rates").json["prices"] == []
    tell_rates(house, USDKES=("129", "131"))
    [price] = app.gets("/exchange/rates").json["prices"]
    assert price["currency"] == "USD"
    sell, buy = (float(price[side]["value"]) for side in ("sell", "buy"))
    assert sell < 129
    assert buy > 131


def test_a_promise_is_taken_up_at_exactly_its_price(house, wanjiru_s, wanjiru):
    tell_rates(house, USDKES=("129", "131"))
    promise = wanjiru_s.posts("/exchange/quotes", {"give": kes("1000"), "get": "USD"})
    assert promise.status_code == 201
    done = wanjiru_s.posts("/exchange", {"quote": promise.json["id"], "pin": "4071"}, key="x" * 8)
    assert (done.status_code, done.json["state"]) == (201, "done")
    gave, got = done.json["lines"]
    assert (gave["amount"], got["amount"]) == (kes("-1000.00"), promise.json["get"])
    again = wanjiru_s.posts("/exchange", {"quote": promise.json["id"], "pin": "4071"}, key="x" * 8)
    assert again.json == done.json
    assert held(house, wanjiru, Currency.USD).minor > 0
    wanjiru_s.posts("/exchange", {"quote": promise.json["id"], "pin": "4071"})
    wanjiru_s.is_refused(409, "quote-used")


def test_a_promise_is_over_after_a_minute_and_is_nobody_elses(house, wanjiru_s, otieno_s):
    tell_rates(house, USDKES=("129", "131"))
    promise = wanjiru_s.posts("/exchange/quotes", {"give": kes("1000"), "get": "USD"}).json
    otieno_s.posts("/exchange", {"quote": promise["id"], "pin": "4071"})
    otieno_s.is_refused(404, "unknown-quote")
    house.clock.passes(seconds=61)
    wanjiru_s.posts("/exchange", {"quote": promise["id"], "pin": "4071"})
    wanjiru_s.is_refused(409, "quote-expired")


def test_without_a_fresh_rate_nobody_is_promised_a_price(wanjiru_s):
    wanjiru_s.posts("/exchange/quotes", {"give": kes("1000"), "get": "USD"})
    wanjiru_s.is_refused(503, "rate-stale")
    assert wanjiru_s.answer.headers["Retry-After"]


def test_the_wallet_shows_every_currency(house, wanjiru_s, wanjiru):
    give(house, wanjiru, Money(12_34, Currency.USD))
    shown = wanjiru_s.gets("/wallet").json
    assert [each["available"] for each in shown["balances"]] == [kes("1250.00"), usd("12.34")]
    assert shown["wallet_number"].startswith("384")
