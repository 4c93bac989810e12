"""
The doors that Paystack and Flutterwave call: what is well signed is kept as it came, once, and
nothing is kept of anything else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.inbox import Inbox
from gateway import rails

KEY = "sk_live_0123456789abcdef"
HASH = "a-secret-hash-of-ours"
BODY = b'{"event":"charge.success","data":{"reference":"d7q2m4kx81-1","metadata":0}}'


def by_paystack(body, key=KEY):
    return {"x-paystack-signature": hmac.new(key.encode(), body, hashlib.sha512).hexdigest()}


def by_flutterwave(body, secret=HASH):
    made = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"flutterwave-signature": base64.b64encode(made).decode()}


@pytest.fixture
def door(house):
    """The two doors, and what they keep."""

    def hung(mode="v4-hmac", **without):
        signed = {"paystack": rails.paystack(KEY), "flutterwave": rails.flutterwave(HASH, mode)}
        for name in without:
            del signed[name]
        app = Flask("rails")
        app.register_blueprint(rails.door(house.databases["web"], house.clock, signed=signed))
        return app.test_client()

    return hung


def kept(house):
    with house.databases["owner"]() as session:
        return session.execute(select(Inbox.provider, Inbox.body).order_by(Inbox.id)).all()


class TestSigned:
    def test_what_paystack_signs_is_kept_byte_by_byte(self, house, door):
        odd = BODY.replace(b":", b" :  ")
        assert door().post("/callbacks/paystack", data=odd, headers=by_paystack(odd)).data == b""
        assert kept(house) == [("paystack", odd)]

    def test_what_flutterwave_signs_is_kept(self, house, door):
        answer = door().post("/callbacks/flutterwave", data=BODY, headers=by_flutterwave(BODY))
        assert answer.status_code == 200
        assert kept(house) == [("flutterwave", BODY)]

    @pytest.mark.parametrize(
        ("mode", "header"), [("v3-literal", "verif-hash"), ("v4-literal", "flutterwave-signature")]
    )
    def test_a_secret_hash_stands_under_the_header_of_its_version(self, house, door, mode, header):
        answer = door(mode).post("/callbacks/flutterwave", data=BODY, headers={header: HASH})
        assert answer.status_code == 200
        assert len(kept(house)) == 1

    def test_a_repeat_is_acknowledged_and_kept_once(self, house, door):
        client = door()
        for _ in range(3):
            answer = client.post("/callbacks/paystack", data=BODY, headers=by_paystack(BODY))
            assert answer.status_code == 200
        assert len(kept(house)) == 1


BAD = {
    "no header": {},
    "empty": {"x-paystack-signature": ""},
    "another key": by_paystack(BODY, "sk_live_another-key"),
    "another body": by_paystack(BODY + b" "),
    "upper case": {"x-paystack-signature": by_paystack(BODY)["x-paystack-signature"].upper()},
    "SHA-256": {"x-paystack-signature": hmac.new(KEY.encode(), BODY, "sha256").hexdigest()},
    "not ASCII": {"x-paystack-signature": "é" * 128},
    "endless": {"x-paystack-signature": "a" * 5000},
    "the other rail's": by_flutterwave(BODY),
}


class TestNotSigned:
    @pytest.mark.parametrize("name", BAD)
    def test_is_turned_away_and_not_kept(self, house, door, name):
        answer = door().post("/callbacks/paystack", data=BODY, headers=BAD[name])
        assert answer.status_code == 401
        assert kept(house) == []

    @pytest.mark.parametrize(
        ("mode", "headers"),
        [
            ("v4-hmac", {"flutterwave-signature": HASH}),
            ("v4-hmac", {"verif-hash": HASH}),
            ("v4-literal", by_flutterwave(BODY)),
            ("v3-literal", {"flutterwave-signature": HASH}),
            ("v3-literal", {"verif-hash": HASH + "x"}),
        ],
    )
    def test_one_way_of_signing_is_no_other(self, house, door, mode, headers):
        answer = door(mode).post("/callbacks/flutterwave", data=BODY, headers=headers)
        assert answer.status_code == 401
        assert kept(house) == []

    def test_a_rail_we_have_no_account_with_has_no_door(self, house, door):
        client = door(paystack=None)
        answer = client.post("/callbacks/paystack", data=BODY, headers=by_paystack(BODY))
        assert answer.status_code == 404

    def test_what_is_too_long_is_not_read(self, house, door):
        body = b" " * (rails.BODY_BYTES_MAX + 1)
        answer = door().post("/callbacks/paystack", data=body, headers=by_paystack(body))
        assert answer.status_code == 413
        assert kept(house) == []

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(body=st.binary(max_size=2000), said=st.text(st.characters(max_codepoint=255)))
    def test_whatever_comes_is_never_an_error_of_ours(self, house, door, body, said):
        said = said.replace("\r", "").replace("\n", "").replace("\0", "")
        headers = {"x-paystack-signature": said}
        assert door().post("/callbacks/paystack", data=body, headers=headers).status_code == 401
        assert kept(house) == []


def test_paystack_signs_as_another_library_has_it():
    """The vector of an independent implementation, written out."""
    body = b'{"event":"charge.success"}'
    expected = rails.paystack("sk_test_key").expected(body)
    assert expected == hmac.digest(b"sk_test_key", body, "sha512").hex()
    assert len(expected) == 128
