"""Money in and out by an app: asked for, seen on its way, and there."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyotp
import pytest
from app import App, kes
from rail_line import NGOZI, Line
from rails_under_test import NAMES


def ngn(value: str) -> dict[str, str]:
    return {"value": value, "currency": "NGN"}


ACCOUNT = {"bank": "058", "account": "0123456789", "name": "Ngozi Eze"}


@pytest.fixture(params=NAMES)
def line(request, house):
    return Line(house, request.param)


@pytest.fixture
def ngozi_s(line) -> App:
    return App(line.house.app.test_client(), line.house.logged_in(NGOZI))


def asked(line, **more):
    return {"method": line.name, "amount": ngn("2500.00")} | more


class TestDeposits:
    def test_a_page_is_there_in_a_moment_and_the_money_when_it_was_paid(self, line, ngozi_s):
        answer = ngozi_s.posts("/deposits", asked(line))
        assert (answer.status_code, answer.json["state"]) == (202, "pending")
        assert answer.json["checkout_url"] is None
        where = answer.headers["Location"]
        assert where == f"/api/v1/deposits/{answer.json['reference']}"
        line.works()
        shown = ngozi_s.gets(where).json
        assert "/checkout/" in shown["checkout_url"]
        line.fake.person("pay", f"{shown['reference']}-1")
        line.carry()
        line.works()
        there = ngozi_s.gets(where).json
        assert (there["state"], there["checkout_url"]) == ("confirmed", None)
        [balance] = [
            each["available"]
            for each in ngozi_s.gets("/wallet").json["balances"]
            if each["available"]["currency"] == "NGN"
        ]
        assert balance == there["credited"]

    def test_the_same_key_asks_once_and_another_body_is_refused(self, line, ngozi_s):
        first = ngozi_s.posts("/deposits", asked(line), key="deposit-1")
        again = ngozi_s.posts("/deposits", asked(line), key="deposit-1")
        assert (again.status_code, again.json) == (202, first.json)
        ngozi_s.posts("/deposits", asked(line, amount=ngn("2500.01")), key="deposit-1")
        ngozi_s.is_refused(409, "key-reused")
        assert len(ngozi_s.gets("/deposits").json["deposits"]) == 1

    def test_many_at_once_under_one_key_make_one_page(self, line, ngozi_s):
        answers = []

        def ask() -> None:
            app = App(line.house.app.test_client(), ngozi_s.bearer)
            answers.append(app.posts("/deposits", asked(line), key="deposit-1"))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json["reference"] for answer in answers}) == 1

    def test_they_are_listed_page_by_page_the_newest_first(self, line, ngozi_s):
        made = [ngozi_s.posts("/deposits", asked(line)).json["reference"] for _ in range(3)]
        first = ngozi_s.gets("/deposits?limit=2").json
        rest = ngozi_s.gets(f"/deposits?limit=2&cursor={first['next']}").json
        shown = [each["reference"] for each in first["deposits"] + rest["deposits"]]
        assert (shown, rest["next"]) == (made[::-1], None)

    def test_five_wait_at_once_and_no_more(self, line, ngozi_s):
        for _ in range(5):
            ngozi_s.posts("/deposits", asked(line))
        ngozi_s.posts("/deposits", asked(line))
        ngozi_s.is_refused(409, "too-many-checkouts")

    @pytest.mark.parametrize(
        ("more", "status", "code"),
        [
            ({"amount": {"value": "5.00", "currency": "EUR"}}, 409, "rail-not-offered"),
            ({"amount": ngn("0.01")}, 409, "amount-too-small"),
            ({"amount": ngn("99999999.00")}, 409, "amount-too-large"),
            ({"method": "cheque"}, 422, "invalid-request"),
            ({"amount": 2500}, 422, "invalid-request"),
        ],
    )
    def test_what_cannot_come_in_is_refused(self, line, ngozi_s, more, status, code):
        ngozi_s.posts("/deposits", asked(line, **more))
        ngozi_s.is_refused(status, code)

    def test_nobody_sees_anybody_elses(self, line, ngozi_s, otieno_s):
        where = ngozi_s.posts("/deposits", asked(line)).headers["Location"]
        otieno_s.gets(where)
        otieno_s.is_refused(404, "unknown-deposit")
        assert otieno_s.gets("/deposits").json == {"deposits": [], "next": None}


class TestWithdrawals:
    def test_to_a_bank_account_it_is_set_aside_and_then_there(self, line, ngozi_s):
        line.funded()
        body = asked(line, amount=ngn("1000.00"))
        quoted = ngozi_s.posts("/withdrawals/quotes", body, key=None).json
        answer = ngozi_s.posts("/withdrawals", body | {"bank_account": ACCOUNT, "pin": "4071"})
        assert (answer.status_code, answer.json["state"]) == (201, "done")
        where = answer.headers["Location"]
        shown = ngozi_s.gets(where).json
        assert (shown["state"], shown["total"]) == ("pending", quoted["total"])
        assert shown["to"] == "Ngozi Eze, 058 ***6789"
        line.works()
        withdrawal = line.newest_withdrawal()
        line.bank("paid", withdrawal)
        line.carry()
        line.works()
        assert ngozi_s.gets(where).json["state"] == "paid"
        [listed] = ngozi_s.gets("/withdrawals").json["withdrawals"]
        assert listed["reference"] == shown["reference"]

    def test_a_wrong_pin_moves_nothing_and_counts(self, line, ngozi_s):
        line.funded()
        body = asked(line, amount=ngn("1000.00"), bank_account=ACCOUNT, pin="9999")
        ngozi_s.posts("/withdrawals", body)
        assert ngozi_s.is_refused(403, "wrong-pin")["tries_left"] == 2
        assert line.held() == 0

    @pytest.mark.parametrize(
        ("more", "status", "code"),
        [
            ({"bank_account": ACCOUNT | {"account": "12"}}, 422, "invalid-request"),
            ({"bank_account": ACCOUNT, "phone": "0712000009"}, 422, "invalid-payee"),
            ({"phone": "12345678901"}, 422, "invalid-msisdn"),
            ({"amount": ngn("9000000.00")}, 409, "amount-too-large"),
            ({"amount": ngn("30000.00")}, 409, "insufficient-funds"),
            ({"amount": {"value": "10.00", "currency": "USD"}}, 409, "rail-not-offered"),
        ],
    )
    def test_what_cannot_go_out_is_refused(self, line, ngozi_s, more, status, code):
        line.funded()
        base = {"pin": "4071"} | ({} if "phone" in more else {"bank_account": ACCOUNT})
        ngozi_s.posts("/withdrawals", asked(line, **base | more))
        ngozi_s.is_refused(status, code)


def test_by_mpesa_a_phone_is_asked_and_paid(house, wanjiru_s, otieno_s):
    body = {"method": "mpesa", "amount": kes("500.00")}
    answer = wanjiru_s.posts("/deposits", body)
    assert (answer.status_code, answer.json["state"]) == (202, "pending")
    wanjiru_s.posts("/deposits", body)
    wanjiru_s.is_refused(409, "deposit-open")
    wanjiru_s.posts("/deposits", body | {"amount": kes("500.50")})
    wanjiru_s.is_refused(422, "not-whole-shillings")
    answer = wanjiru_s.posts("/withdrawals", body | {"pin": "4071"})
    assert answer.json["kind"] == "withdrawal"
    assert wanjiru_s.gets(answer.headers["Location"]).json["to"] == "0712***001"


@pytest.mark.parametrize("other", ["/transfers", "/withdrawals"])
def test_a_key_that_asked_for_a_deposit_moves_no_money(house, wanjiru_s, otieno_s, other):
    deposit = {"method": "mpesa", "amount": kes("500.00")}
    moves = {
        "/transfers": {"to": "0733000002", "amount": kes("50"), "pin": "4071"},
        "/withdrawals": deposit | {"pin": "4071"},
    }[other]
    assert wanjiru_s.posts("/deposits", deposit, key="key-of-two").status_code == 202
    wanjiru_s.posts(other, moves, key="key-of-two")
    wanjiru_s.is_refused(409, "key-reused")
    assert house.bank.one("SELECT count(*) FROM orders") == 0
    assert wanjiru_s.posts(other, moves, key="key-of-order").status_code == 201
    wanjiru_s.posts("/deposits", deposit, key="key-of-order")
    wanjiru_s.is_refused(409, "key-reused")


def test_a_key_asks_for_one_thing_however_many_ask_at_once(house, wanjiru_s, otieno_s):
    """Half of them deposit, half transfer: whoever is first has the key."""
    asked = [
        ("/deposits", {"method": "mpesa", "amount": kes("500.00")}),
        ("/transfers", {"to": "0733000002", "amount": kes("50"), "pin": "4071"}),
    ]
    for round_number in range(4):
        ready = threading.Barrier(4)

        def ask(number, key=f"key-{round_number:08}", ready=ready) -> int:
            path, body = asked[number % 2]
            app = App(house.app.test_client(), wanjiru_s.bearer)
            ready.wait(timeout=10)
            return app.posts(path, body, key=key).status_code

        with house.ledger_elsewhere(), ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(ask, range(4)))
        assert sorted(answers)[2:] == [409, 409], answers
        found = "SELECT (SELECT count(*) FROM {} WHERE key LIKE :key)"
        like = f"%key-{round_number:08}"
        made = [house.bank.one(found.format(table), key=like) for table in ("orders", "deposits")]
        assert sum(made) == 1
        house.bank.run("UPDATE deposits SET state = 'expired', ended_at = :now", now=house.clock())


@dataclass
class Much:
    """Somebody with a second factor, and what they take out at once without it."""

    app: App
    factor: pyotp.TOTP
    step: int

    def code(self, steps: int = 0) -> str:
        return self.factor.generate_otp(self.step + steps)

    def takes(self, amount: str, **more: str):
        body = {"method": "mpesa", "amount": kes(amount), "pin": "4071"}
        key = more.pop("key", "")
        return self.app.posts("/withdrawals", body | more, key=key)


@pytest.fixture
def much(house, wanjiru_s):
    with house.limited(second_factor_above=250) as client:
        app = App(client, wanjiru_s.bearer)
        step = int(house.clock().timestamp()) // 30
        factor = pyotp.TOTP(app.posts("/totp", {"pin": "4071"}).json["secret"])
        app.posts("/totp/confirm", {"code": factor.generate_otp(step - 1)})
        yield Much(app, factor, step)


def test_the_same_request_again_is_answered_the_same_though_its_code_was_used(much):
    first = much.takes("300", totp=much.code(), key="withdrawal-1")
    assert first.status_code == 201
    for _again in range(6):
        again = much.takes("300", totp=much.code(), key="withdrawal-1")
        assert (again.status_code, again.json) == (201, first.json)
    much.takes("300.00", totp=much.code(), key="withdrawal-1", pin="9174")
    much.app.is_refused(403, "wrong-pin")
    much.takes("301", totp=much.code(1), key="withdrawal-1")
    much.app.is_refused(409, "key-reused")
    assert much.takes("301", totp=much.code(1)).status_code == 201  # that code is still good


def test_the_same_request_many_times_at_once_is_done_once(house, much):
    def take(_number) -> str:
        app = App(much.app.client.application.test_client(), much.app.bearer)
        other = Much(app, much.factor, much.step)
        answer = other.takes("300", totp=much.code(), key="withdrawal-1")
        assert answer.status_code in (201, 202), answer.json
        return answer.json["reference"]

    with house.ledger_elsewhere(), ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(take, range(8)))) == 1
    assert house.bank.one("SELECT count(*) FROM orders") == 1


def test_a_code_is_used_up_by_what_is_refused(much):
    much.takes("90000", totp=much.code())
    much.app.is_refused(409, "insufficient-funds")
    much.takes("300", totp=much.code())
    much.app.is_refused(403, "second-factor-wrong")
    assert much.takes("300", totp=much.code(1)).status_code == 201


def test_what_is_taken_out_bit_by_bit_is_much_as_well(house, much):
    assert much.takes("100").status_code == 201
    assert much.takes("100").status_code == 201
    much.takes("100")
    much.app.is_refused(403, "second-factor-needed")
    assert much.takes("100", totp=much.code()).status_code == 201
    house.clock.passes(hours=24)
    much.app.bearer = house.logged_in("+254712000001")
    assert much.takes("100").status_code == 201


def test_much_wants_the_second_factor_where_there_is_one(house, wanjiru_s):
    with house.limited(second_factor_above=100) as client:
        app = App(client, wanjiru_s.bearer)
        body = {"method": "mpesa", "amount": kes("200.00"), "pin": "4071"}
        assert app.posts("/withdrawals", body).status_code == 201  # there is none yet
        factor = pyotp.TOTP(app.posts("/totp", {"pin": "4071"}).json["secret"])
        step = int(house.clock().timestamp()) // 30
        app.posts("/totp/confirm", {"code": factor.generate_otp(step)})
        app.posts("/withdrawals", body)
        app.is_refused(403, "second-factor-needed")
        app.posts("/withdrawals", body | {"totp": factor.generate_otp(step)})
        app.is_refused(403, "second-factor-wrong")  # it was used
        body["totp"] = factor.generate_otp(step + 1)
        assert app.posts("/withdrawals", body).status_code == 201
        house.clock.passes(hours=24)
        app.bearer = house.logged_in("+254712000001")
        little = {"method": "mpesa", "amount": kes("50.00"), "pin": "4071"}
        assert app.posts("/withdrawals", little).status_code == 201
