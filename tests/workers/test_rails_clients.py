"""
One contract, two rails: what each call says when the rail answers well, badly, or not at all.
"""

from __future__ import annotations

import pytest
from house_parts import served
from rails_under_test import BACK, BANK, NAMES, PHONE, SLOW, Fake, client, ngn

from core.money import kes
from sandbox.country import create_app
from workers.errors import Blocked, Rejected, Unknown, Unreachable
from workers.flutterwave.client import Flutterwave
from workers.paystack.client import Paystack
from workers.rails import ChargeState, Topic, TransferState

REFERENCE = "d7q2m4kx81-1"
PAID_IN, PAID_OUT = ngn(250_000), ngn(100_000)
PAYOUT = "p_0123456789abcdefghjkmnpq"


@pytest.fixture(scope="module")
def country():
    """A country whose rails do nothing by themselves."""
    app = create_app("http://127.0.0.1:9", "*384#", "sandbox", rails_pace=SLOW)
    with served(app) as url:
        yield url
    app.extensions["courier"].close()
    for webhooks in app.extensions["rails"]:
        webhooks.close()


@pytest.fixture(params=NAMES)
def fake(request, country):
    made = Fake(request.param, country)
    made.reset()
    return made


@pytest.fixture
def rail(fake, country):
    made = client(fake.name, country, seconds=0.5)
    yield made
    made.close()


def open_page(rail, amount=PAID_IN):
    return rail.initialise(reference=REFERENCE, amount=amount)


def pay_out(rail, payee=BANK, amount=PAID_OUT):
    return rail.transfer(reference=PAYOUT, amount=amount, payee=payee, reason="Kabambe")


class TestCheckout:
    def test_a_page_is_made_and_nobody_has_paid(self, rail):
        assert "/checkout/" in open_page(rail).url
        assert rail.verify(reference=REFERENCE).state in (ChargeState.OPEN, ChargeState.ABSENT)

    def test_who_pays_has_paid_to_the_last_kobo(self, rail, fake):
        open_page(rail, ngn(250_050))
        fake.person("pay", REFERENCE)
        charge = rail.verify(reference=REFERENCE)
        assert (charge.state, charge.amount) == (ChargeState.PAID, ngn(250_050))
        assert charge.cost == ngn(250_050 * 150 // 10_000)
        assert charge.receipt

    def test_a_try_that_fails_is_told_and_may_be_made_good(self, rail, fake):
        open_page(rail)
        fake.person("fail", REFERENCE)
        charge = rail.verify(reference=REFERENCE)
        assert (charge.state, charge.why) == (ChargeState.DECLINED, "Insufficient Funds")
        fake.person("pay", REFERENCE)
        assert rail.verify(reference=REFERENCE).state is ChargeState.PAID

    def test_another_amount_and_another_currency_are_told_as_they_are(self, rail, fake):
        open_page(rail)
        fake.fault(on="pay", amount=10_000, currency="KES")
        fake.person("pay", REFERENCE)
        assert rail.verify(reference=REFERENCE).amount == kes(10_000)

    def test_a_currency_we_do_not_hold_is_no_amount_of_ours(self, rail, fake):
        open_page(rail)
        fake.fault(on="pay", amount=10_000, currency="GHS")
        fake.person("pay", REFERENCE)
        charge = rail.verify(reference=REFERENCE)
        assert (charge.state, charge.amount) == (ChargeState.PAID, None)

    def test_what_was_given_back_is_told(self, rail, fake):
        open_page(rail)
        fake.person("pay", REFERENCE)
        fake.person("refund", REFERENCE)
        assert rail.verify(reference=REFERENCE).state is ChargeState.REVERSED

    def test_what_nobody_knows_is_absent(self, rail):
        assert rail.verify(reference="d000000000-9").state is ChargeState.ABSENT

    def test_a_reference_is_good_once(self, rail):
        open_page(rail)
        with pytest.raises(Rejected):
            open_page(rail)


class TestPayout:
    @pytest.mark.parametrize("payee", [BANK, PHONE], ids=["bank", "phone"])
    def test_is_under_way_then_there(self, rail, fake, payee):
        assert pay_out(rail, payee).state is TransferState.OPEN
        fake.bank("paid", PAYOUT)
        told = rail.verify_transfer(reference=PAYOUT)
        assert (told.state, told.amount) == (TransferState.PAID, ngn(100_000))
        assert told.cost == ngn(1_000)
        assert told.receipt

    def test_fails(self, rail, fake):
        pay_out(rail)
        fake.bank("failed", PAYOUT)
        told = rail.verify_transfer(reference=PAYOUT)
        assert (told.state, told.why) == (TransferState.FAILED, "Account is dormant")

    def test_comes_back_after_it_was_there(self, rail, fake):
        pay_out(rail)
        fake.bank("paid", PAYOUT)
        fake.bank("reversed", PAYOUT)
        assert rail.verify_transfer(reference=PAYOUT).state is TransferState.REVERSED

    def test_a_reference_that_was_used_says_nothing_of_what_became_of_it(self, rail):
        pay_out(rail)
        with pytest.raises(Unknown):
            pay_out(rail)

    def test_beyond_what_the_rail_holds_for_us_nothing_goes_out(self, rail, fake):
        fake.balance(NGN=50_000)
        with pytest.raises(Blocked) as blocked:
            pay_out(rail)
        assert blocked.value.code == "InsufficientBalance"
        assert rail.verify_transfer(reference=PAYOUT).state is TransferState.ABSENT

    def test_a_bank_that_is_none_is_refused(self, rail):
        with pytest.raises(Rejected):
            pay_out(rail, payee=BANK.__class__(BANK.kind, "000", BANK.account, BANK.name))

    def test_what_nobody_knows_is_absent(self, rail):
        assert rail.verify_transfer(reference="p_nobody-knows-this").state is TransferState.ABSENT


# Each with whether the payout may have happened, and so is asked about and never just repeated.
BADLY = {
    "reset": ({"kind": "reset"}, Unknown),
    "reset, done": ({"kind": "reset", "moved": True}, Unknown),
    "503": ({"kind": "http", "status": 503}, Unknown),
    "503, done": ({"kind": "http", "status": 503, "moved": True}, Unknown),
    "HTML": ({"kind": "html", "status": 502}, Unknown),
    "HTML and 200, done": ({"kind": "html", "status": 200, "moved": True}, Unknown),
    "nothing": ({"kind": "empty", "status": 500}, Unknown),
    "half of it, done": ({"kind": "malformed", "moved": True}, Unknown),
    "too late, done": ({"kind": "stall", "seconds": 0.8}, Unknown),
    "200 that is no success": ({"kind": "error", "status": 200}, Unknown),
    "throttled": ({"kind": "throttled"}, Unreachable),
    "refused": ({"kind": "error", "status": 400}, Rejected),
    "forbidden": ({"kind": "error", "status": 403}, Blocked),
}


@pytest.mark.parametrize("name", BADLY)
def test_a_payout_that_is_answered_badly(rail, fake, name):
    answer, failure = BADLY[name]
    fake.fault(on="transfer", answer=answer)
    with pytest.raises(failure):
        pay_out(rail)
    is_there = rail.verify_transfer(reference=PAYOUT).state is not TransferState.ABSENT
    assert is_there == (answer.get("moved", False) or answer["kind"] == "stall")


@pytest.mark.parametrize("name", BADLY)
def test_a_question_that_is_answered_badly_says_nothing(rail, fake, name):
    answer, failure = BADLY[name]
    expected = failure if failure is Blocked else Unreachable
    open_page(rail)
    pay_out(rail)
    fake.fault(on="verify", answer=answer)
    with pytest.raises(expected):
        rail.verify(reference=REFERENCE)
    fake.fault(on="verify-transfer", answer=answer)
    with pytest.raises(expected):
        rail.verify_transfer(reference=PAYOUT)


@pytest.mark.parametrize("kind", [Paystack, Flutterwave])
def test_a_wrong_key_is_for_staff_to_mend_and_is_never_shown(country, kind):
    base = {Paystack: "/paystack", Flutterwave: "/flutterwave/v3"}[kind]
    rail = kind(
        secret_key="sk_live_wrong-and-secret",
        url=country + base,
        email="p@example.com",
        return_url=BACK,
    )
    with pytest.raises(Blocked) as blocked:
        rail.verify(reference=REFERENCE)
    rail.close()
    assert blocked.value.code == "BadKey"
    assert "secret" not in str(blocked.value)


class TestWebhooks:
    def test_say_of_what_there_is_news(self, rail, fake):
        open_page(rail)
        pay_out(rail)
        fake.person("pay", REFERENCE)
        fake.person("refund", REFERENCE)
        fake.bank("paid", PAYOUT)
        fake.bank("reversed", PAYOUT)
        told = [rail.understand(each["body"].encode()) for each in fake.webhooks()]
        assert [(each.topic, each.reference) for each in told] == [
            (Topic.CHARGE, REFERENCE),
            (Topic.REFUND, REFERENCE),
            (Topic.TRANSFER, PAYOUT),
            (Topic.TRANSFER, PAYOUT),
        ]

    def test_failures_are_not_announced_by_paystack(self, rail, fake):
        open_page(rail)
        fake.person("fail", REFERENCE)
        assert len(fake.webhooks()) == (0 if fake.name == "paystack" else 1)

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"[]", b"null", b'{"event":1}', b'{"event":"x","data":[]}', b"\xff" * 9],
    )
    def test_what_is_none_is_said_to_be_none(self, rail, body):
        with pytest.raises(Unknown):
            rail.understand(body)

    def test_an_event_we_do_not_know_is_nothing_to_act_on(self, rail):
        told = rail.understand(b'{"event":"customeridentification.failed","data":{}}')
        assert told.topic is Topic.OTHER


# As printed in the providers' own documentation.
PRINTED = {
    "paystack": [
        (
            (
                b'{"event":"charge.success","data":{"id":302961,"domain":"live","status":"success",'
                b'"reference":"qTPrJoy9Bx","amount":10000,"message":null,"metadata":0,"fees":null}}'
            ),
            Topic.CHARGE,
            "qTPrJoy9Bx",
        ),
        (
            (
                b'{"event":"transfer.success","data":{"amount":100000,"currency":"NGN","failures":null,'
                b'"id":860703114,"reference":"acv_9ee55786-2323-4760-98e2-6380c9cb3f68"}}'
            ),
            Topic.TRANSFER,
            "acv_9ee55786-2323-4760-98e2-6380c9cb3f68",
        ),
        (
            (
                b'{"event":"refund.processed","data":{"status":"processed","transaction_reference":'
                b'"T2154954_412829_3be32076_6lcg3","refund_reference":"132013318360","amount":"5000"}}'
            ),
            Topic.REFUND,
            "T2154954_412829_3be32076_6lcg3",
        ),
    ],
    "flutterwave": [
        (
            (
                b'{"event":"charge.completed","data":{"id":285959875,"tx_ref":"Links-616626414629",'
                b'"amount":100,"currency":"NGN","app_fee":1.4,"status":"successful"}}'
            ),
            Topic.CHARGE,
            "Links-616626414629",
        ),
        (
            (
                b'{"webhook_id":"wbk_W5p6ktwU0jQ8RO4By860","timestamp":1735116884019,"type":'
                b'"charge.completed","data":{"id":"chg_Hq4oBRTJ4r","amount":2500,"currency":"KES",'
                b'"status":"succeeded","reference":"49c3c6f5-1111-4222-8333-444455556666"}}'
            ),
            Topic.CHARGE,
            "49c3c6f5-1111-4222-8333-444455556666",
        ),
    ],
}


@pytest.mark.parametrize("name", NAMES)
def test_webhooks_as_the_documentation_prints_them(country, name):
    rail = client(name, country)
    for body, topic, reference in PRINTED[name]:
        told = rail.understand(body)
        assert (told.topic, told.reference) == (topic, reference)
    rail.close()


@pytest.mark.parametrize("metadata", [b"0", b'""', b'"text"', b'{"a":1}', b"null", b"[1]"])
def test_metadata_may_be_anything(country, metadata):
    rail = client("paystack", country)
    body = b'{"event":"charge.success","data":{"reference":"abc","metadata":' + metadata + b"}}"
    assert rail.understand(body).reference == "abc"
    rail.close()
