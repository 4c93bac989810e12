"""The doors that Safaricom calls: who is heard, what is kept, and that nothing said is believed."""

from __future__ import annotations

import hashlib
import json

import golden_daraja as golden
import pytest
from safaricom import CALLERS, DOOR

from gateway import daraja

TOKEN = "fedcba9876543210" * 2
ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}
JSON = {"Content-Type": "application/json;charset=UTF-8"}


@pytest.fixture
def rail(house, rail):
    house.safaricom.begin()
    rail.fund()
    return rail


@pytest.fixture
def deposit(rail, house, wanjiru):
    """One whose payer has the prompt on their phone."""
    found = rail.expect(wanjiru, 500_00)
    house.clock.passes(seconds=3)
    rail.begin(found)
    rail.prompted(found)
    house.bank.run("UPDATE deposits SET begun_at = begun_at")
    with house.databases["owner"].begin() as session:
        session.connection().exec_driver_sql("SET LOCAL session_replication_role = replica")
        session.connection().exec_driver_sql(
            "UPDATE deposits SET token_hash = %s", (hashlib.sha256(TOKEN.encode()).digest(),)
        )
    return found


def call(house, path, body=b"{}", *, door=DOOR, **more):
    return house.client.post(f"/callbacks/d/{door}{path}", data=body, headers=JSON, **more)


def told(house) -> list[tuple]:
    rows = house.bank.rows("SELECT kind, body, origin FROM inbox ORDER BY id")
    return [(kind, bytes(body), origin) for kind, body, origin in rows]


class TestWhoIsHeard:
    @pytest.mark.parametrize("door", ["0" * 32, "x", DOOR[:-1], DOOR.upper(), "ä" * 32])
    def test_nobody_who_does_not_know_the_door(self, house, deposit, door):
        assert call(house, f"/stk/{TOKEN}", door=door).status_code == 404
        assert call(house, "/c2b/confirmation", golden.C2B, door=door).status_code == 404
        assert not told(house)

    @pytest.mark.parametrize("token", ["0" * 32, TOKEN[:-1], TOKEN.upper(), "z", "ä", "a" * 3000])
    @pytest.mark.parametrize(
        "path",
        [
            "/stk/{}",
            "/b2c/{}/result",
            "/b2c/{}/timeout",
            "/status/{}/result",
            "/balance/{}/timeout",
            "/reversal/{}/result",
        ],
    )
    def test_nobody_who_does_not_know_the_payment(self, house, deposit, path, token):
        assert call(house, path.format(token)).status_code == 404
        assert not told(house)

    def test_a_token_opens_its_own_door_alone(self, house, deposit):
        assert call(house, f"/b2c/{TOKEN}/result").status_code == 404
        assert call(house, f"/status/{TOKEN}/result").status_code == 404

    @pytest.mark.parametrize("method", ["get", "put", "delete"])
    def test_nobody_who_does_not_post(self, house, deposit, method):
        answer = getattr(house.client, method)(f"/callbacks/d/{DOOR}/stk/{TOKEN}")
        assert answer.status_code == 405

    def test_nobody_from_elsewhere(self, house, deposit):
        elsewhere = {"environ_base": {"REMOTE_ADDR": "196.201.214.199"}}
        assert call(house, f"/stk/{TOKEN}", **elsewhere).status_code == 404
        assert call(house, "/c2b/validation", golden.C2B, **elsewhere).status_code == 404
        assert not told(house)

    def test_a_header_does_not_make_one_safaricom(self, house, deposit):
        """No proxy of ours stands before the tests' web: what it would say is anybody's word."""
        elsewhere = {"environ_base": {"REMOTE_ADDR": "203.0.113.7"}}
        body, path = b"{}", f"/callbacks/d/{DOOR}/stk/{TOKEN}"
        headers = {**JSON, "X-Forwarded-For": "127.0.0.1"}
        assert house.client.post(path, data=body, headers=headers, **elsewhere).status_code == 404


class TestWhatIsKept:
    def test_what_is_said_as_it_was_said(self, house, deposit):
        answer = call(house, f"/stk/{TOKEN}", golden.STK_PAID)
        assert (answer.status_code, answer.json) == (200, ACCEPTED)
        assert told(house) == [("prompt-ended", golden.STK_PAID, "127.0.0.1")]
        digest = house.bank.one("SELECT token_hash FROM inbox")
        assert bytes(digest) == hashlib.sha256(TOKEN.encode()).digest()

    def test_once_however_often(self, house, deposit):
        for _time in range(3):
            assert call(house, f"/stk/{TOKEN}", golden.STK_PAID).json == ACCEPTED
        assert len(told(house)) == 1

    def test_no_secret_is_kept_beside_it(self, house, deposit):
        call(house, f"/stk/{TOKEN}", golden.STK_PAID)
        kept = str(house.bank.rows("SELECT * FROM inbox"))
        assert TOKEN not in kept
        assert DOOR not in kept

    def test_nothing_that_is_too_long(self, house, deposit):
        assert call(house, f"/stk/{TOKEN}", b"x" * 64 * 1024).status_code == 200
        assert call(house, f"/stk/{TOKEN}", b"x" * (64 * 1024 + 1)).status_code == 413
        assert len(told(house)) == 1

    def test_the_addresses_spell_nothing_that_safaricom_refuses(self, house):
        refused = ("mpesa", "m-pesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
        for rule in house.app.url_map.iter_rules():
            if rule.rule.startswith("/callbacks"):
                assert not any(word in rule.rule for word in refused)


class TestValidation:
    def ask(self, house, **other):
        body = json.loads(golden.C2B) | {"BusinessShortCode": CALLERS.shortcode} | other
        answer = call(house, "/c2b/validation", json.dumps(body).encode())
        assert answer.status_code == 200
        return answer.json["ResultCode"]

    def test_a_number_that_we_know(self, house, rail, wanjiru):
        assert self.ask(house, BillRefNumber="0712 000 001") == "0"
        assert self.ask(house, BillRefNumber=254712000001) == "0"

    def test_and_one_that_we_do_not(self, house, rail, wanjiru):
        assert self.ask(house, BillRefNumber="0712000009") == "C2B00012"
        assert self.ask(house, BillRefNumber="'; DROP TABLE inbox; --") == "C2B00012"
        assert self.ask(house, BillRefNumber="\x00") == "C2B00012"

    @pytest.mark.parametrize("amount", ["0", "-5.00", "five", "1e3", "", None, "0.001"])
    def test_no_amount(self, house, rail, wanjiru, amount):
        assert self.ask(house, BillRefNumber="0712000001", TransAmount=amount) == "C2B00013"

    def test_more_than_they_may_hold(self, house, rail, wanjiru):
        too_much = {"BillRefNumber": "0712000001", "TransAmount": "9000000.00"}
        assert self.ask(house, **too_much) == "C2B00016"

    def test_anothers_paybill(self, house, rail, wanjiru):
        assert self.ask(house, BusinessShortCode="999999") == "C2B00015"

    @pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 60_000, b"null", b"7"])
    def test_what_nobody_understands(self, house, rail, body):
        answer = call(house, "/c2b/validation", body)
        assert (answer.status_code, answer.json["ResultCode"]) == (200, daraja.OTHER)

    def test_a_fault_of_ours_is_answered_by_rule(self, house, rail, wanjiru, monkeypatch):
        monkeypatch.setattr("core.paybill.validate", lambda *_, **__: 1 / 0)
        assert self.ask(house, BillRefNumber="0712000001") == "C2B00016"

    def test_nothing_is_kept_of_it(self, house, rail, wanjiru):
        self.ask(house, BillRefNumber="0712000001")
        assert not told(house)
