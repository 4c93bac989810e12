"""The page of a payment link: what to pay whom, how on any phone, and nothing that runs."""

from __future__ import annotations

import re

import pytest

from core import merchants, payment_links, subscribers
from core.audit import Actor
from core.money import Currency, kes


@pytest.fixture
def make(house, otieno):
    """Otieno's links."""

    def make(*, memo="Order 1017", shop_name=None):
        now, desk = house.clock(), Actor("staff:jane", "desk", "r1")
        with house.databases["worker"].begin() as session:
            shop = subscribers.recipient(session, msisdn=otieno.phone.msisdn).id
            merchants.open_till(session, subscriber=shop, actor=desk, now=now)
        with house.databases["web"].begin() as session:
            if shop_name:
                merchants.describe(
                    session, subscriber=shop, shop_name=shop_name, actor=desk, now=now
                )
            return payment_links.make(
                session,
                merchant=shop,
                currency=Currency.KES,
                amount=kes(300_00),
                memo=memo,
                is_single_use=True,
                expires_at=None,
                now=now,
            )

    return make


def test_it_says_what_to_pay_whom_and_how(house, make):
    link = make(shop_name="Duka la Otieno")
    page = house.client.get(f"/pay/{link.code}")
    said = page.get_data(as_text=True)
    assert page.status_code == 200
    for words in ("Pay Duka la Otieno", "KES 300.00", "Order 1017", "*384#", link.till, link.code):
        assert words in said
    assert "Check the name: Otieno." in said  # as a phone will show it
    assert "<svg" in said


def test_in_the_language_that_is_asked_for(house, make):
    page = house.client.get(f"/pay/{make().code}", headers={"Accept-Language": "sw"})
    assert "Lipa Otieno" in page.get_data(as_text=True)
    assert '<html lang="sw">' in page.get_data(as_text=True)


def test_nothing_runs_there_and_nobody_frames_it(house, make):
    page = house.client.get(f"/pay/{make(memo='<script>alert(1)</script>').code}")
    said = page.get_data(as_text=True)
    assert "<script" not in said
    assert "&lt;script&gt;" in said
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"(src|href)=", said)


def test_what_is_over_says_so_and_shows_no_way_to_pay(house, make):
    link = make()
    with house.databases["web"].begin() as session:
        payment_links.close(session, merchant=link.merchant, code=link.code, now=house.clock())
    page = house.client.get(f"/pay/{link.code}")
    assert page.status_code == 410
    assert "The shop has closed this link." in page.get_data(as_text=True)
    assert "<svg" not in page.get_data(as_text=True)


@pytest.mark.parametrize("code", ["000000000000", "x", "%00", "..%2f..", "\u2019"])
def test_what_nobody_made_is_not_there(house, code):
    assert house.client.get(f"/pay/{code}").status_code == 404
