"""Calling Safaricom: what each answer means, one token for all, and one pace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from core.money import kes
from workers.daraja import credential
from workers.daraja.client import NotWhole
from workers.daraja.credential import BadCertificate
from workers.errors import Blocked, CallFailed, Rejected, Unknown, Unreachable

PAYER = "+254712000001"


@pytest.fixture
def safaricom(house):
    house.safaricom.begin()
    return house.safaricom


def prompt(safaricom):
    return safaricom.line.client.prompt(
        payer=PAYER, amount=kes(100_00), reference="D123456789", token="a" * 32
    )


def pay(safaricom):
    return safaricom.line.client.pay(
        payee=PAYER, amount=kes(100_00), conversation="p_" + "0" * 26, token="a" * 32
    )


def envelope(status, code, message):
    return {"kind": "envelope", "status": status, "code": code, "message": message}


BUSY = "Unable to lock subscriber, a transaction is already in process"
SPIKE = "Error Occurred: Spike Arrest Violation"
DUPLICATE = "Duplicate OriginatorConversationID."
JUDGED = [
    (envelope(400, "400.002.02", "Bad Request - Invalid Amount"), Rejected, Rejected),
    (envelope(200, "400.002.02", "Bad Request - Invalid Amount"), Unknown, Unknown),
    (envelope(404, "404.001.01", "Resource not found"), Blocked, Blocked),
    (envelope(405, "405.001", "Method Not Allowed"), Blocked, Blocked),
    (envelope(500, "500.001.1001", "Wrong credentials"), Blocked, Unknown),
    (envelope(500, "500.001.1001", "Merchant does not exist"), Blocked, Unknown),
    (envelope(500, "500.001.1001", BUSY), Rejected, Unknown),
    (envelope(500, "500.001.1001", ""), Unknown, Unknown),
    (envelope(500, "500.001.1001", "Something new"), Unknown, Unknown),
    (envelope(500, "500.002.1001", DUPLICATE), Unknown, Unknown),
    (envelope(500, "500.002.1001", "Service is currently under maintenance"), Unknown, Unknown),
    (
        envelope(500, "500.003.02", "Error Occurred: Spike Arrest Violation"),
        Unreachable,
        Unreachable,
    ),
    (envelope(500, "500.003.02", "System is busy. Please try again"), Unknown, Unknown),
    (envelope(500, "500.003.03", "Error Occurred: Quota Violation"), Unreachable, Unreachable),
    (envelope(404, "404.001.03", "Invalid Access Token"), Blocked, Blocked),
    (envelope(401, "401.002.01", "Error Occurred - Invalid Access Token"), Blocked, Blocked),
    ({"kind": "response-code", "code": "1"}, Unknown, Unknown),
    ({"kind": "html", "status": 200}, Unknown, Unknown),
    ({"kind": "html", "status": 503}, Unknown, Unknown),
    ({"kind": "empty", "status": 500}, Unknown, Unknown),
    ({"kind": "malformed"}, Unknown, Unknown),
    ({"kind": "reset"}, Unknown, Unknown),
]


@pytest.mark.parametrize(
    ("answer", "of_prompt", "of_payout"), JUDGED, ids=lambda each: str(each)[:60]
)
def test_what_an_answer_means(safaricom, answer, of_prompt, of_payout):
    for api, call, species in (("stk", prompt, of_prompt), ("b2c", pay, of_payout)):
        safaricom.fault(on=api, answer=answer, next=2)
        with pytest.raises(CallFailed) as failed:
            call(safaricom)
        assert type(failed.value) is species
        requests.delete(safaricom.control("faults"), timeout=5)


def test_nothing_that_fails_tells_a_secret(safaricom):
    account = safaricom.line.client.account
    safaricom.fault(on="stk", answer={"kind": "reset"})
    with pytest.raises(Unknown) as failed:
        prompt(safaricom)
    said = repr(failed.value) + repr(account)
    assert account.passkey not in said
    assert account.credential not in said
    assert "a" * 32 not in said


def test_cents_are_refused_and_not_rounded(safaricom):
    with pytest.raises(NotWhole):
        safaricom.line.client.pay(
            payee=PAYER, amount=kes(100_50), conversation="p_1", token="a" * 32
        )
    assert safaricom.requests("b2c") == []


class TestToken:
    def test_many_fetch_one(self, safaricom):
        token = safaricom.line.client._token
        with ThreadPoolExecutor(12) as hands:
            found = set(hands.map(lambda _: token.current(), range(24)))
        assert len(found) == 1
        assert len(safaricom.requests("oauth")) == 1

    def test_one_that_ended_is_replaced_once(self, safaricom):
        token = safaricom.line.client._token
        first = token.current()
        requests.delete(safaricom.control("tokens"), timeout=5)
        with ThreadPoolExecutor(12) as hands:
            found = set(hands.map(lambda _: token.current(ended=first), range(24)))
        assert len(found) == 1
        assert first not in found
        assert len(safaricom.requests("oauth")) == 2

    def test_it_is_forgotten_before_it_ends(self, safaricom, house):
        safaricom.line.client._token.current()
        assert 3_500 < house.redis.ttl("kabambe:mpesa:token") <= 3_539

    def test_calls_go_on_where_it_ended(self, safaricom):
        prompt(safaricom)
        requests.delete(safaricom.control("tokens"), timeout=5)
        assert pay(safaricom)
        assert len(safaricom.requests("oauth")) == 2

    def test_a_wrong_secret_is_staffs_to_mend(self, safaricom, monkeypatch):
        sealed = safaricom.line.client._token._transport.session.headers
        monkeypatch.setitem(sealed, "Authorization", "Basic d3Jvbmc6d3Jvbmc=")
        with pytest.raises(Blocked) as failed:
            safaricom.line.client._token.current()
        assert failed.value.code == "BadKey"


class TestCredential:
    def test_a_file_that_is_none_is_named(self, tmp_path):
        path = tmp_path / "daraja.pem"
        with pytest.raises(BadCertificate, match=r"daraja\.pem"):
            credential.seal(path, "password")
        path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        with pytest.raises(BadCertificate, match=r"no X\.509"):
            credential.seal(path, "password")
