"""Payment links: made by a merchant, seen by whoever has them, paid once where once is meant."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from app import App, fifty, kes, pages
from programs import Programs

from core import money as core_money
from core import payment_links, subscribers


def make(otieno_s, **more):
    body = {"amount": kes("300.00"), "memo": "Order 1017"} | more
    return otieno_s.posts("/payment-links", {k: v for k, v in body.items() if v is not None})


def pay(app, code, amount=None, **more):
    body = {"pin": "4071"} if amount is None else {"pin": "4071", "amount": kes(amount)}
    return app.posts(f"/payment-links/{code}/payments", body, **more)


@pytest.fixture
def link(otieno_s, till) -> str:
    return make(otieno_s).json["code"]


def test_whoever_has_it_sees_what_it_asks_for(app, otieno_s, till):
    made = make(otieno_s)
    assert made.status_code == 201
    seen = app.gets(f"/payment-links/{made.json['code']}").json
    assert seen == made.json == {
        "code": made.json["code"],
        "url": f"https://kabambe.test/pay/{made.json['code']}",
        "shop": "Otieno",
        "till": till,
        "amount": kes("300.00"),
        "currency": "KES",
        "memo": "Order 1017",
        "single_use": True,
        "state": "open",
        "expires_at": None,
    }  # fmt: skip


def test_paid_it_is_a_payment_that_says_what_for(house, wanjiru_s, otieno_s, otieno, link):
    his = Programs(house, otieno)
    his.add()
    paid = pay(wanjiru_s, link)
    assert (paid.status_code, paid.json["kind"]) == (201, "payment")
    assert house.bank.balance_of("+254733000002") == 298_50
    assert wanjiru_s.gets(f"/payment-links/{link}").json["state"] == "paid"
    his.call()
    [letter] = his.came()
    said = json.loads(letter["body"])
    assert said["type"] == "payment.received"
    assert (said["data"]["link"], said["data"]["memo"]) == (link, "Order 1017")
    assert otieno_s.gets(f"/payment-links/{link}/payments").json == {
        "payments": [paid.json["reference"]],
        "next": None,
    }


class TestForOnePayment:
    def test_it_is_paid_once(self, house, wanjiru_s, link):
        pay(wanjiru_s, link)
        pay(wanjiru_s, link)
        wanjiru_s.is_refused(409, "link-paid")
        assert house.bank.balance_of("+254712000001") == 950_00

    def test_while_somebody_pays_nobody_else_does_and_refused_it_is_free(
        self, house, wanjiru_s, otieno_s, amina, link
    ):
        hers = App(house.app.test_client(), house.logged_in(amina.phone.msisdn))
        house.workers_are_there = False
        assert pay(wanjiru_s, link).status_code == 202
        assert hers.gets(f"/payment-links/{link}").json["state"] == "taken"
        pay(hers, link)
        hers.is_refused(409, "link-taken")
        house.bank.run("UPDATE subscribers SET tier = 'suspended' WHERE name = 'Wanjiru'")
        house.workers_are_there = True
        house.ring()
        assert hers.gets(f"/payment-links/{link}").json["state"] == "open"
        assert pay(hers, link).status_code == 201
        assert hers.gets(f"/payment-links/{link}").json["state"] == "paid"

    def test_of_fifty_at_once_one_pays(self, house, wanjiru_s, link):
        answers = fifty(house, wanjiru_s, lambda app: pay(app, link))
        assert [answer.status_code for answer in answers].count(201) == 1
        others = {answer.json["code"] for answer in answers if answer.status_code != 201}
        assert others <= {"link-taken", "link-paid", "not-now"}
        assert house.bank.balance_of("+254712000001") == 950_00

    def test_fifty_times_the_same_request_say_the_same(self, house, wanjiru_s, link):
        answers = fifty(house, wanjiru_s, lambda app: pay(app, link, key="link-0001"))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.data for answer in answers}) == 1
        assert house.bank.balance_of("+254712000001") == 950_00


def test_for_many_it_is_paid_by_many(house, wanjiru_s, otieno_s, amina, till):
    code = make(otieno_s, single_use=False, amount=None).json["code"]
    hers = App(house.app.test_client(), house.logged_in(amina.phone.msisdn))
    pay(wanjiru_s, code, "100")
    pay(wanjiru_s, code, "50")
    pay(hers, code, "20")
    assert wanjiru_s.gets(f"/payment-links/{code}").json["state"] == "open"
    assert len(otieno_s.gets(f"/payment-links/{code}/payments").json["payments"]) == 3
    assert house.bank.balance_of("+254733000002") == 169_15


class TestTheAmount:
    def test_of_the_link_cannot_be_another(self, house, wanjiru_s, link):
        pay(wanjiru_s, link, "1")
        wanjiru_s.is_refused(422, "link-amount-differs")
        assert pay(wanjiru_s, link, "300.00").status_code == 201

    def test_is_the_payers_to_say_where_the_link_has_none(self, wanjiru_s, otieno_s, till):
        code = make(otieno_s, amount=None).json["code"]
        pay(wanjiru_s, code)
        wanjiru_s.is_refused(422, "link-amount-differs")
        assert pay(wanjiru_s, code, "20").status_code == 201


class TestNoLonger:
    def test_expired_it_is_over(self, house, wanjiru_s, otieno_s, till):
        later = (house.clock() + timedelta(hours=1)).isoformat()
        code = make(otieno_s, expires_at=later).json["code"]
        house.clock.passes(hours=1)
        wanjiru_s.bearer = house.logged_in("+254712000001")
        assert wanjiru_s.gets(f"/payment-links/{code}").json["state"] == "expired"
        pay(wanjiru_s, code)
        wanjiru_s.is_refused(409, "link-over")

    def test_closed_it_is_over(self, wanjiru_s, otieno_s, link):
        assert otieno_s.asks("DELETE", f"/payment-links/{link}").json["state"] == "closed"
        pay(wanjiru_s, link)
        wanjiru_s.is_refused(409, "link-over")

    def test_it_cannot_be_over_before_it_begins(self, house, otieno_s, till):
        make(otieno_s, expires_at=house.clock().isoformat())
        otieno_s.is_refused(422, "invalid-request")


class TestWhoMay:
    def test_who_has_no_till_makes_none(self, wanjiru_s):
        make(wanjiru_s)
        wanjiru_s.is_refused(404, "no-till")

    def test_nobody_closes_or_counts_anothers(self, wanjiru_s, link):
        wanjiru_s.asks("DELETE", f"/payment-links/{link}")
        wanjiru_s.is_refused(404, "unknown-link")
        wanjiru_s.gets(f"/payment-links/{link}/payments")
        wanjiru_s.is_refused(404, "unknown-link")

    def test_nobody_pays_themselves(self, otieno_s, link):
        pay(otieno_s, link)
        otieno_s.is_refused(409, "same-account")

    def test_a_link_that_nobody_made_is_not_there(self, app):
        app.gets("/payment-links/000000000000")
        app.is_refused(404, "unknown-link")


def test_whoever_tries_out_codes_hides_no_link_from_others(house, otieno_s, link):
    with house.limited(per_minute=6) as client:
        app = App(client)
        for _ in range(3):
            assert app.gets("/payment-links/000000000000").status_code == 404
        assert app.gets(f"/payment-links/{link}").status_code == 200


def test_links_are_listed_page_by_page(otieno_s, till):
    codes = [make(otieno_s).json["code"] for _ in range(3)]
    first = otieno_s.gets("/payment-links?limit=2").json
    rest = otieno_s.gets(f"/payment-links?limit=2&cursor={first['next']}").json
    listed = [link["code"] for page in (first, rest) for link in page["links"]]
    assert (listed, rest["next"]) == (codes[::-1], None)


@pytest.mark.usefixtures("busy")
def test_more_than_a_hundred_payments_are_each_seen_once_while_others_come(
    house, wanjiru, otieno_s, till
):
    code = make(otieno_s, single_use=False, amount=None).json["code"]
    path = f"/payment-links/{code}/payments"
    made: list[str] = []

    def paid(count):
        for _ in range(count):
            with house.databases["web"].begin() as session:
                placed = payment_links.pay(
                    session,
                    payer=subscribers.recipient(session, msisdn=wanjiru.phone.msisdn),
                    code=code,
                    amount=core_money.kes(5_00),
                    key=f"many-{len(made)}",
                    now=house.clock(),
                )
            made.append(placed.reference)
        house.ring()

    paid(105)
    walked = pages(otieno_s, path, between=lambda: paid(2))
    seen = [reference for page in walked for reference in page["payments"]]
    assert (seen, len(made)) == (made[104::-1], 109)
    assert [len(page["payments"]) for page in walked] == [40, 40, 25]
    newest = otieno_s.gets(f"{path}?limit=1").json
    assert newest["payments"] == made[:-2:-1]
    otieno_s.gets(f"{path}?cursor=nothing")
    otieno_s.is_refused(422, "invalid-request")
