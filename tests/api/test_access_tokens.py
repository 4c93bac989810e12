"""Tokens: whose they are, how long they are good, and how they end at once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from bank import PIN
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from house_parts import KEYRING, SIGNING_KEYS
from redis.exceptions import ConnectionError as Gone
from smartphone import Smartphone, refused
from sqlalchemy import text

from core.access.tokens import Keyring

ISSUER = "http://127.0.0.1:8000/"
OUR_KEY = KEYRING._key
PUBLIC_PEM = OUR_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PUBLIC_RAW = OUR_KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@pytest.fixture
def app(house, wanjiru) -> Smartphone:
    return Smartphone(house).logs_in()


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(app, *, key=OUR_KEY, algorithm="EdDSA", header=None, without=(), **claims) -> str:
    """The app's own token, said otherwise."""
    said = jwt.decode(app.token, options={"verify_signature": False}) | claims
    for name in without:
        del said[name]
    headers = {"kid": "sandbox", "typ": "at+jwt"} | (header or {})
    return jwt.encode(said, key, algorithm=algorithm, headers=headers)


def unsigned(app, alg: str, sign=lambda _said: b"") -> str:
    """A token that no library would make: by a head that says `alg`."""
    head = b64(json.dumps({"alg": alg, "kid": "sandbox", "typ": "at+jwt"}).encode())
    said = f"{head}.{app.token.split('.')[1]}"
    return f"{said}.{b64(sign(said.encode()))}"


class TestAForgedToken:
    def knows(self, app, token) -> bool:
        app.token = token
        return app.is_in()

    def test_one_said_again_as_it_was_is_good(self, app):
        assert self.knows(app, forged(app))

    @pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
    def test_no_signature_is_none(self, app, alg):
        assert not self.knows(app, unsigned(app, alg))

    @pytest.mark.parametrize("secret", [PUBLIC_PEM, PUBLIC_RAW, b""], ids=["pem", "raw", "empty"])
    @pytest.mark.parametrize("alg", ["HS256", "HS512"])
    def test_our_public_key_is_no_secret_to_sign_with(self, app, alg, secret):
        digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[alg]
        signed = unsigned(app, alg, lambda said: hmac.new(secret, said, digest).digest())
        assert not self.knows(app, signed)

    def test_another_key_under_our_name(self, app):
        assert not self.knows(app, forged(app, key=Ed25519PrivateKey.generate()))

    @pytest.mark.parametrize("kid", ["other", "", "../sandbox", "sandbox "])
    def test_a_key_we_do_not_have(self, app, kid):
        assert not self.knows(app, forged(app, header={"kid": kid}))

    def test_a_key_that_it_brings_itself(self, app):
        key = Ed25519PrivateKey.generate()
        raw = b64(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": raw}
        for header in ({"jwk": jwk}, {"jku": "https://evil.example/keys"}, {"x5u": "https://e"}):
            assert not self.knows(app, forged(app, key=key, header=header))

    @pytest.mark.parametrize("typ", ["JWT", "id+jwt", ""])
    def test_a_token_of_another_type(self, app, typ):
        assert not self.knows(app, forged(app, header={"typ": typ}))

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "https://evil.example/"},
            {"aud": "another-api"},
            {"exp": 0},
            {"exp": "9999999999"},
            {"exp": 99999999999.5},
            {"iat": 9999999999},
            {"sub": "dev_0"},
            {"sub": 1},
            {"nbf": 9999999999},
        ],
        ids=str,
    )
    def test_a_claim_that_is_not_ours(self, app, claims):
        assert not self.knows(app, forged(app, **claims))

    @pytest.mark.parametrize("claim", ["iss", "aud", "sub", "iat", "exp", "jti"])
    def test_a_claim_too_few(self, app, claim):
        assert not self.knows(app, forged(app, without=[claim]))

    @pytest.mark.parametrize(
        "header",
        ["Bearer", "Bearer ", "Basic dTpw", "bearer a.b.c", f"Bearer {'a.' * 5000}", "Bearer é"],
        ids=lambda header: header[:12],
    )
    def test_no_token_at_all_is_answered_alike(self, app, header):
        app.token = ""
        answer = app.call("GET", "/me", headers={"Authorization": header})
        refused(answer, 401, "not-known")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_one_changed_letter(self, app):
        head, said, signed = app.token.split(".")
        changed = said[:-2] + ("A" if said[-2] != "A" else "B") + said[-1]
        assert not self.knows(app, f"{head}.{changed}.{signed}")


class TestKeys:
    def test_a_new_key_signs_and_the_old_one_is_still_known(self, house):
        other = base64.b64encode(b"another-key-of-32-bytes-for-test").decode()
        both = Keyring.parse(f"next:{other},{SIGNING_KEYS}", issuer=ISSUER)
        now = house.clock()
        old = KEYRING.sign("dev_1", now=now).token
        new = both.sign("dev_1", now=now).token
        assert jwt.get_unverified_header(new)["kid"] == "next"
        assert both.device_of(old, now=now) == both.device_of(new, now=now) == "dev_1"

    @pytest.mark.parametrize(
        "written", ["", "a", "a:", ":c2hvcnQ=", "a:c2hvcnQ=", f"{SIGNING_KEYS},{SIGNING_KEYS}"]
    )
    def test_what_are_no_keys_is_refused(self, written):
        with pytest.raises(ValueError, match="Signing keys are"):
            Keyring.parse(written, issuer=ISSUER)


class TestTime:
    def test_an_access_token_is_good_for_fifteen_minutes(self, house, app):
        house.clock.passes(minutes=14, seconds=59)
        assert app.is_in()
        house.clock.passes(seconds=1)
        assert not app.is_in()
        assert app.refreshes().is_in()

    def test_a_refresh_token_is_good_for_seven_days_from_its_own_beginning(self, house, app):
        house.clock.passes(days=6, hours=23)
        app.refreshes()
        house.clock.passes(days=6, hours=23)
        assert app.refreshes().is_in()
        house.clock.passes(days=7)
        refused(app.post("/auth/refresh", refresh_token=app.refresh_token), 401, "not-known")


class TestRefresh:
    def test_a_token_used_twice_ends_the_device_and_its_owner_hears_it(self, house, app):
        stolen = app.refresh_token
        app.refreshes()
        assert app.is_in()
        refused(app.post("/auth/refresh", refresh_token=stolen), 401, "not-known")
        assert not app.is_in()
        refused(app.post("/auth/refresh", refresh_token=app.refresh_token), 401, "not-known")
        assert app.heard(
            "We logged out Pixel 8 from Kabambe, as somebody may have copied its log-in."
            " If you use it, log in again."
        )

    def test_other_devices_stay(self, house, app):
        other = Smartphone(house, device="Tablet").logs_in()
        stolen = app.refresh_token
        app.refreshes()
        app.post("/auth/refresh", refresh_token=stolen)
        assert other.is_in()

    @pytest.mark.parametrize("token", ["rt_", "rt_" + "A" * 43, "é" * 20, "eyJ.a.b"])
    def test_what_is_none_ends_nothing(self, app, token):
        refused(app.post("/auth/refresh", refresh_token=token), 401, "not-known")
        assert app.is_in()

    def test_of_two_at_once_one_is_answered_and_nothing_ends(self, house, app):
        """The other waits for nobody: it is told that the token is being used."""
        locked, go_on = threading.Event(), threading.Event()

        def hold():
            with house.databases["owner"].begin() as session:
                session.execute(text("SELECT FROM refreshes FOR UPDATE"))
                locked.set()
                assert go_on.wait(10)

        with ThreadPoolExecutor() as pool:
            other = pool.submit(hold)
            assert locked.wait(10)
            answer = app.post("/auth/refresh", refresh_token=app.refresh_token)
            go_on.set()
            other.result()
        refused(answer, 409, "refresh-under-way")
        assert app.refreshes().is_in()

    def test_of_many_at_once_one_wins(self, house, app):
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(
                    lambda _n: app.post(
                        "/auth/refresh",
                        refresh_token=app.refresh_token,
                        headers={"Idempotency-Key": "one-device-once"},
                    ),
                    range(8),
                )
            )
        told = {answer.json.get("refresh_token") for answer in answers} - {None}
        assert len(told) == 1
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert house.bank.one("SELECT count(*) FROM refreshes") == 2

    def test_a_lost_answer_is_had_again_with_the_same_key(self, house, app):
        given = {"refresh_token": app.refresh_token, "headers": {"Idempotency-Key": "try-0001"}}
        lost = app.post("/auth/refresh", **given)
        house.clock.passes(minutes=1)
        again = app.post("/auth/refresh", **given)
        assert again.json["refresh_token"] == lost.json["refresh_token"]
        assert app.keeps(again, 200).refreshes().is_in()

    @pytest.mark.parametrize("key", ["try-0002", None])
    def test_who_does_not_know_the_key_has_a_copy(self, app, key):
        old = app.refresh_token
        app.post("/auth/refresh", refresh_token=old, headers={"Idempotency-Key": "try-0001"})
        headers = {"Idempotency-Key": key} if key else {}
        refused(app.post("/auth/refresh", refresh_token=old, headers=headers), 401, "not-known")
        assert not app.is_in()

    @pytest.mark.parametrize("key", ["short", "x" * 65, "try 0001"])
    def test_what_is_no_key_uses_nothing_up(self, app, key):
        given = {"refresh_token": app.refresh_token, "headers": {"Idempotency-Key": key}}
        refused(app.post("/auth/refresh", **given), 400, "key-missing")
        assert app.refreshes().is_in()

    def test_it_is_no_longer_lost_once_the_next_was_used(self, app):
        given = {"refresh_token": app.refresh_token, "headers": {"Idempotency-Key": "try-0001"}}
        app.keeps(app.post("/auth/refresh", **given), 200).refreshes()
        refused(app.post("/auth/refresh", **given), 401, "not-known")
        assert not app.is_in()

    def test_nor_after_two_minutes(self, house, app):
        given = {"refresh_token": app.refresh_token, "headers": {"Idempotency-Key": "try-0001"}}
        app.post("/auth/refresh", **given)
        house.clock.passes(minutes=2)
        refused(app.post("/auth/refresh", **given), 401, "not-known")


class TestTheEnd:
    """At once, for who looks and for who acts; the truth is in Postgres."""

    def gone(self, app):
        assert not app.is_in()
        refused(app.post("/auth/refresh", refresh_token=app.refresh_token), 401, "not-known")

    def test_of_a_log_out(self, house, app):
        other = Smartphone(house, device="Tablet").logs_in()
        assert app.is_in()
        assert app.post("/auth/logout").status_code == 204
        self.gone(app)
        assert other.is_in()

    def test_of_a_device_that_is_removed_from_another(self, house, app):
        other = Smartphone(house, device="Tablet").logs_in()
        assert other.is_in()
        listed = app.get("/devices").json["devices"]
        assert {each["name"]: each["here"] for each in listed} == {"Pixel 8": True, "Tablet": False}
        (tablet,) = [each["id"] for each in listed if not each["here"]]
        assert app.delete(f"/devices/{tablet}").status_code == 204
        self.gone(other)
        assert app.is_in()
        refused(app.delete(f"/devices/{tablet}"), 404, "unknown-device")

    def test_nobody_removes_anothers_device(self, house, app, otieno):
        other = Smartphone(house, otieno.phone.msisdn).logs_in()
        (theirs,) = other.get("/devices").json["devices"]
        refused(app.delete(f"/devices/{theirs['id']}"), 404, "unknown-device")
        assert other.is_in()

    def test_of_a_pin_changed_here(self, house, app):
        other, before = (
            Smartphone(house, device="Tablet").logs_in(),
            Smartphone(house, token=app.token),
        )
        assert other.is_in()
        assert before.is_in()
        app.keeps(app.post("/auth/pin", pin=PIN, new_pin="6820"), 200)
        self.gone(other)
        assert not before.is_in()
        assert app.is_in()
        assert app.logs_in("6820").is_in()

    def test_of_a_pin_changed_by_phone(self, house, app):
        assert app.is_in()
        phone = house.phone(app.msisdn).dial().types("3", "1", "1", PIN, "6820", "6820")
        assert "Your PIN is changed" in phone.screen
        self.gone(app)

    def test_of_an_account_that_is_closed_by_phone(self, house):
        house.register("+254755000009", name="Njeri")
        app = Smartphone(house, "+254755000009").logs_in()
        assert app.is_in()
        phone = house.phone("+254755000009").dial().types("3", "5", "1", PIN)
        assert "closed" in phone.screen, phone.screen
        self.gone(app)

    def test_the_pin_is_not_changed_by_who_does_not_know_it(self, house, app):
        refused(app.post("/auth/pin", pin="9174", new_pin="6820"), 403, "wrong-pin")
        assert house.bank.one("SELECT wrong_tries FROM pins") == 1
        assert app.is_in()

    def test_also_where_redis_has_lost_everything(self, house, app):
        app.post("/auth/logout")
        house.redis.flushdb()
        assert not app.is_in()

    def test_also_where_redis_does_not_answer(self, house, app, monkeypatch):
        assert app.is_in()
        quick = house.api.principal._quick

        def gone(*_args, **_kwargs):
            raise Gone

        monkeypatch.setattr(
            quick, "_redis", type("R", (), {"get": gone, "set": gone, "pipeline": gone})()
        )
        assert app.is_in()
        app.post("/auth/logout")
        assert not app.is_in()

    def test_nothing_that_ended_is_brought_back_by_the_web(self, house, app):
        app.post("/auth/logout")
        with pytest.raises(Exception, match="stays so"), house.databases["web"].begin() as session:
            session.execute(text("UPDATE devices SET revoked_at = NULL, revoked_because = NULL"))
