"""
The fake Paystack and the fake Flutterwave: the page a person pays on, and what they post to us.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field

import pytest
import requests
from flask import Flask, request
from standin import served, until

from sandbox.country import create_app
from sandbox.flutterwave.wire import signature
from sandbox.product import FLUTTERWAVE_HASH, FLUTTERWAVE_KEY, PAYSTACK_KEY
from sandbox.rails.webhooks import Pace

QUICK = Pace(news_after=0.01, retry_after=(0.01, 0.02), transfer_after=0.02)


@dataclass
class Web:
    """Our doors, as the rails find them."""

    told: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    refuse: int = 0

    def app(self) -> Flask:
        app = Flask("web")

        @app.post("/callbacks/<rail>")
        def callback(rail):
            self.told.append((rail, request.get_data(), dict(request.headers)))
            if self.refuse:
                self.refuse -= 1
                return "", 503
            return "", 200

        return app


@pytest.fixture
def web():
    return Web()


@pytest.fixture
def url(web):
    with served(web.app()) as web_url:
        app = create_app(web_url, "*384#", "sandbox", rails_pace=QUICK)
        with served(app) as url:
            yield url
        app.extensions["courier"].close()
        for webhooks in app.extensions["rails"]:
            webhooks.close()


def paystack(url, method, path, **body):
    headers = {"Authorization": f"Bearer {PAYSTACK_KEY}"}
    return requests.request(
        method, f"{url}/paystack{path}", json=body or None, headers=headers, timeout=5
    ).json()


def flutterwave(url, method, path, **body):
    headers = {"Authorization": f"Bearer {FLUTTERWAVE_KEY}"}
    return requests.request(
        method, f"{url}/flutterwave/v3{path}", json=body or None, headers=headers, timeout=5
    ).json()


def a_page(url):
    return paystack(
        url,
        "POST",
        "/transaction/initialize",
        email="a@b.ke",
        amount="250000",
        currency="NGN",
        reference="abc-1",
        callback_url="https://shop.example/back",
    )["data"]["authorization_url"]


class TestPage:
    def test_shows_what_is_to_be_paid(self, url):
        shown = requests.get(a_page(url), timeout=5)
        assert "NGN 2,500.00" in shown.text
        assert "default-src 'self'" in shown.headers["Content-Security-Policy"]

    def test_who_fails_may_try_again_and_who_paid_may_go_back(self, url):
        page = a_page(url)
        assert "Declined" in requests.post(page, data={"outcome": "fail"}, timeout=5).text
        paid = requests.post(page, data={"outcome": "pay"}, timeout=5).text
        assert "Paid." in paid
        assert "https://shop.example/back?reference=abc-1" in paid
        assert 'value="pay"' not in paid

    def test_a_return_address_is_no_markup(self, url):
        page = paystack(
            url,
            "POST",
            "/transaction/initialize",
            email="a@b.ke",
            amount="1",
            reference="x",
            callback_url='https://x"><script>1</script>',
        )["data"]["authorization_url"]
        requests.post(page, data={"outcome": "pay"}, timeout=5)
        assert "<script>" not in requests.get(page, timeout=5).text

    def test_of_flutterwave_works_alike(self, url, web):
        page = flutterwave(
            url,
            "POST",
            "/payments",
            tx_ref="abc-1",
            amount=25.5,
            currency="KES",
            redirect_url="https://shop.example/back",
            customer={"email": "a@b.ke"},
        )["data"]["link"]
        assert "KES 25.50" in requests.post(page, data={"outcome": "fail"}, timeout=5).text
        [(rail, body, headers)] = until(lambda: web.told)
        assert (rail, headers["Verif-Hash"]) == ("flutterwave", FLUTTERWAVE_HASH)
        assert json.loads(body)["event"] == "charge.completed"
        assert json.loads(body)["data"]["status"] == "failed"


class TestWebhooks:
    def test_are_signed_over_the_bytes_that_travel(self, url, web):
        requests.post(a_page(url), data={"outcome": "pay"}, timeout=5)
        [(rail, body, headers)] = until(lambda: web.told)
        expected = hmac.new(PAYSTACK_KEY.encode(), body, hashlib.sha512).hexdigest()
        assert (rail, headers["X-Paystack-Signature"]) == ("paystack", expected)
        assert json.loads(body)["data"]["amount"] == 250_000

    def test_come_again_until_they_are_taken(self, url, web):
        web.refuse = 2
        requests.post(a_page(url), data={"outcome": "pay"}, timeout=5)
        until(lambda: len(web.told) == 3)
        assert len({body for _, body, _ in web.told}) == 1

    def test_of_a_failure_paystack_sends_none(self, url, web):
        requests.post(a_page(url), data={"outcome": "fail"}, timeout=5)
        made = requests.get(f"{url}/paystack/control/webhooks", timeout=5).json()
        assert (made, web.told) == ([], [])

    @pytest.mark.parametrize(
        ("kind", "count"), [("lost", 0), ("twice", 2), ("forged", 2), ("corrupt", 1), ("first", 1)]
    )
    def test_go_wrong_as_they_are_told_to(self, url, web, kind, count):
        page = a_page(url)
        script = {"on": "pay", "news": {"kind": kind}}
        requests.post(f"{url}/paystack/control/faults", json=script, timeout=5)
        requests.post(page, data={"outcome": "pay"}, timeout=5)
        until(lambda: len(web.told) == count)
        good = [
            hmac.new(PAYSTACK_KEY.encode(), body, hashlib.sha512).hexdigest()
            == headers["X-Paystack-Signature"]
            for _, body, headers in web.told
        ]
        assert good.count(False) == (1 if kind == "forged" else 0)


class TestPayouts:
    def pay_out(self, url, **more):
        to = paystack(
            url,
            "POST",
            "/transferrecipient",
            type="nuban",
            name="N",
            account_number="0123456789",
            bank_code="058",
        )["data"]["recipient_code"]
        return paystack(
            url,
            "POST",
            "/transfer",
            source="balance",
            amount=5_000,
            currency="NGN",
            recipient=to,
            **{"reference": "p_0123456789abcdef", **more},
        )

    def test_arrive_by_themselves_and_are_announced(self, url, web):
        assert self.pay_out(url)["data"]["status"] == "pending"
        [(_, body, _)] = until(lambda: web.told)
        assert json.loads(body)["event"] == "transfer.success"

    def test_may_come_back(self, url, web):
        script = {"on": "transfer", "outcome": "reversed"}
        requests.post(f"{url}/paystack/control/faults", json=script, timeout=5)
        self.pay_out(url)
        until(lambda: len(web.told) == 2)
        assert {json.loads(body)["event"] for _, body, _ in web.told} == {
            "transfer.success",
            "transfer.reversed",
        }

    def test_are_made_once_under_a_reference(self, url):
        self.pay_out(url)
        assert "unique reference" in self.pay_out(url)["message"]

    def test_want_a_reference_of_their_alphabet(self, url):
        assert "illegal" in self.pay_out(url, reference="UPPER0123456789AB")["message"]


def test_a_fault_that_is_none_is_named(url):
    answer = requests.post(f"{url}/paystack/control/faults", json={"kind": "fire"}, timeout=5)
    assert answer.status_code == 400
    assert "kind" in answer.json()["error"]


def test_nobody_gets_in_without_the_key(url):
    answer = requests.get(f"{url}/paystack/transaction/verify/abc", timeout=5)
    assert answer.status_code == 401


def test_flutterwave_signs_in_the_ways_it_is_known_for():
    made = hmac.new(b"hash", b"{}", hashlib.sha256).digest()
    assert signature("v4-hmac", "hash", b"{}") == {
        "flutterwave-signature": base64.b64encode(made).decode()
    }
    assert signature("v4-literal", "hash", b"{}") == {"flutterwave-signature": "hash"}
