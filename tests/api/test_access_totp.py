"""The second factor: each code once, five wrong ones lock, its secret is nowhere in the clear."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pyotp
import pytest
from bank import PIN
from processes import environment
from smartphone import Smartphone, refused

from workers import desk_factors


@pytest.fixture
def app(house, wanjiru) -> Smartphone:
    return Smartphone(house).logs_in()


class Authenticator:
    """The program on another device that makes the codes."""

    def __init__(self, house, secret) -> None:
        self.house, self.totp = house, pyotp.TOTP(secret)

    def code(self, steps=0) -> str:
        return self.totp.generate_otp(int(self.house.clock().timestamp()) // 30 + steps)

    def wrong(self) -> str:
        right = {self.code(steps) for steps in range(-2, 3)}
        return next(f"{n:06}" for n in range(9) if f"{n:06}" not in right)


@pytest.fixture
def authenticator(house, app) -> Authenticator:
    """One that was taken in and confirmed, a minute ago."""
    proposed = app.post("/totp", pin=PIN)
    made = Authenticator(house, proposed.json["secret"])
    assert app.post("/totp/confirm", code=made.code()).status_code == 204
    house.clock.passes(minutes=1)
    return made


def enters(house, **more):
    app = Smartphone(house)
    return app.post("/auth/login", ticket=app.ticket(), pin=PIN, device="Tablet", **more)


class TestSettingOneUp:
    def test_it_counts_once_its_first_code_was_typed(self, house, app):
        proposed = app.post("/totp", pin=PIN)
        assert proposed.status_code == 201
        uri = pyotp.parse_uri(proposed.json["uri"])
        assert (uri.issuer, uri.name) == ("Kabambe", "+254712000001")
        assert uri.secret == proposed.json["secret"]
        assert app.get("/me").json["second_factor"] is False
        assert enters(house).status_code == 200
        made = Authenticator(house, uri.secret)
        refused(app.post("/totp/confirm", code=made.wrong()), 403, "second-factor-wrong")
        assert app.post("/totp/confirm", code=made.code()).status_code == 204
        assert app.get("/me").json["second_factor"] is True
        assert app.heard(
            "From 21/11/26 09:30 your Kabambe account asks for your authenticator too."
            " If that was not you, contact us now."
        )

    def test_wants_the_pin(self, app):
        refused(app.post("/totp", pin="9174"), 403, "wrong-pin")

    def test_is_not_replaced_by_who_has_the_pin_alone(self, app, authenticator):
        refused(app.post("/totp", pin=PIN), 409, "second-factor-set")
        refused(app.post("/totp/confirm", code=authenticator.code()), 404, "no-second-factor")

    def test_its_secret_is_kept_locked(self, house, app, authenticator):
        kept = house.bank.one("SELECT secret FROM totps")
        assert authenticator.totp.secret not in kept
        assert kept.startswith("gAAAA")

    def test_nobodys_secret_is_good_for_another(self, house, app, authenticator, otieno):
        """Whoever can write the table could else give somebody a second factor they know."""
        other = Smartphone(house, otieno.phone.msisdn).logs_in()
        mine = other.post("/totp", pin=PIN).json["secret"]
        known = Authenticator(house, mine)
        other.post("/totp/confirm", code=known.code())
        house.clock.passes(minutes=1)
        house.bank.run(
            "UPDATE totps SET secret = (SELECT secret FROM totps WHERE subscriber_id = 2)"
            " WHERE subscriber_id = 1"
        )
        assert enters(house, totp=known.code()).status_code == 500


class TestACode:
    def test_is_wanted_to_log_in_and_asking_counts_as_no_try(self, house, app, authenticator):
        refused(enters(house), 403, "second-factor-needed")
        entered = enters(house, totp=authenticator.code())
        assert entered.status_code == 200
        tablet = Smartphone(house, token=entered.json["access_token"])
        devices = {each["name"]: each for each in tablet.get("/devices").json["devices"]}
        assert devices["Tablet"]["second_factor"] is True
        assert devices["Pixel 8"]["second_factor"] is False

    @pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (1, True), (2, False)])
    def test_is_good_for_its_half_minute_and_the_next_to_it(
        self, house, app, authenticator, steps, right
    ):
        assert (enters(house, totp=authenticator.code(steps)).status_code == 200) is right

    def test_is_good_once(self, house, app, authenticator):
        given = {"name": "Till", "permissions": ["read"], "lifetime": "1H", "pin": PIN}
        code = authenticator.code()
        assert enters(house, totp=code).status_code == 200
        refused(app.post("/api-keys", totp=code, **given), 403, "second-factor-wrong")
        house.clock.passes(seconds=30)
        refused(app.post("/api-keys", totp=code, **given), 403, "second-factor-wrong")
        assert app.post("/api-keys", totp=authenticator.code(), **given).status_code == 201

    def test_is_used_up_by_what_is_refused(self, house, app, authenticator):
        given = {"permissions": ["read"], "lifetime": "1H", "pin": PIN}
        code = authenticator.code()
        refused(app.post("/api-keys", totp=code, name=" ", **given), 422, "invalid-api-key")
        refused(app.post("/api-keys", totp=code, name="Till", **given), 403, "second-factor-wrong")
        house.clock.passes(seconds=30)
        code = authenticator.code()
        refused(
            app.post("/api-keys/k_0/rollover", totp=code, lifetime="1H", pin=PIN),
            404,
            "unknown-api-key",
        )
        refused(app.post("/api-keys", totp=code, name="Till", **given), 403, "second-factor-wrong")
        assert house.bank.one("SELECT count(*) FROM api_keys") == 0

    def test_an_older_one_is_not_good_after_a_newer(self, house, app, authenticator):
        assert enters(house, totp=authenticator.code(1)).status_code == 200
        refused(enters(house, totp=authenticator.code()), 403, "second-factor-wrong")

    def test_is_good_once_for_many_at_once(self, house, app, authenticator):
        given = {"name": "Till", "permissions": ["read"], "lifetime": "1H", "pin": PIN}
        code = authenticator.code()
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(
                lambda _n: app.post("/api-keys", totp=code, **given).status_code, range(4)
            )
            assert sorted(answers) == [201, 403, 403, 403]

    def test_five_wrong_ones_lock_this_door_and_the_phone(self, house, app, authenticator):
        given = {"pin": PIN, "code": authenticator.wrong()}
        got = [app.post("/totp/remove", **given).json["code"] for _time in range(5)]
        assert got == ["second-factor-wrong"] * 4 + ["log-in-locked"]
        given["code"] = authenticator.code()
        refused(app.post("/totp/remove", **given), 403, "log-in-locked")
        refused(enters(house, totp=given["code"]), 403, "log-in-locked")
        phone = house.phone(app.msisdn).dial().types("3", "1", "1", PIN)
        assert "Too many wrong PINs" in phone.screen
        house.clock.passes(minutes=15)
        assert enters(house, totp=authenticator.code()).status_code == 200

    def test_nobody_has_more_tries_by_trying_at_once(self, house, app, authenticator):
        wrong = authenticator.wrong()
        with ThreadPoolExecutor(8) as pool:
            got = list(
                pool.map(
                    lambda _n: app.post("/totp/remove", pin=PIN, code=wrong).json["code"],
                    range(12),
                )
            )
        assert got.count("second-factor-wrong") == 4
        assert house.bank.one("SELECT wrong_tries FROM log_in_tries WHERE subject LIKE 's%'") == 5

    def test_is_wanted_for_a_key(self, app, authenticator):
        given = {"name": "Till", "permissions": ["read"], "lifetime": "1H", "pin": PIN}
        refused(app.post("/api-keys", **given), 403, "second-factor-needed")
        assert app.post("/api-keys", totp=authenticator.code(), **given).status_code == 201


class TestRemoving:
    def test_wants_both(self, house, app, authenticator):
        wrong = authenticator.wrong()
        refused(app.post("/totp/remove", pin=PIN, code=wrong), 403, "second-factor-wrong")
        refused(app.post("/totp/remove", pin="9174", code=authenticator.code()), 403, "wrong-pin")
        assert app.post("/totp/remove", pin=PIN, code=authenticator.code()).status_code == 204
        assert enters(house).status_code == 200
        assert app.get("/me").json["second_factor"] is False
        refused(app.post("/totp/remove", pin=PIN, code="000000"), 404, "no-second-factor")


class TestWhoHasLostTheirs:
    """Two of the staff let somebody in without it; nobody alone does, and the owner hears of it."""

    @pytest.fixture
    def desk(self, house, monkeypatch, capsys):
        for name, value in environment(house).items():
            monkeypatch.setenv(name, value)

        def sits(*words, by="amina"):
            more = () if words[0] == "list" else ("--why", "her passport, at the shop")
            status = desk_factors.main(["factors", *words, *more, "--by", by])
            told = capsys.readouterr()
            return status, told.out + told.err

        return sits

    def test_is_let_in_by_two(self, house, app, authenticator, desk):
        refused(enters(house), 403, "second-factor-needed")
        status, said = desk("propose", "0712 000 001")
        assert (status, said) == (0, "Lost factor 1: somebody else must `factors approve` it.\n")
        assert "1  +254712000001; proposed by staff:amina" in desk("list")[1]
        status, said = desk("approve", "1", by=" Amina ")
        assert (status, "own-request" in said) == (1, True)
        refused(enters(house), 403, "second-factor-needed")

        assert desk("approve", "1", by="kamau")[0] == 0
        assert app.get("/me").json["second_factor"] is False
        house.clock.now = datetime.now(UTC)  # the desk's
        assert enters(house).status_code == 200
        texts = [each["message"] for each in house.messages(app.msisdn)]
        assert any("account asks for no second factor" in each for each in texts), texts
        lines = house.bank.rows(
            "SELECT actor, action, origin, detail ->> 'note' FROM audit_log"
            " WHERE subject = 'subscriber:1' AND origin = 'desk' ORDER BY id"
        )
        note = "her passport, at the shop"
        assert lines == [
            ("staff:amina", "factor-lost", "desk", note),
            ("staff:kamau", "factor-loss-approved", "desk", note),
            ("staff:kamau", "second-factor-removed", "desk", None),
        ]

    def test_keeps_it_where_the_other_declines(self, house, authenticator, desk):
        desk("propose", "0712000001")
        assert "already-requested" in desk("propose", "0712000001", by="kamau")[1]
        assert desk("decline", "1", by="kamau")[0] == 0
        refused(enters(house), 403, "second-factor-needed")
        status, said = desk("approve", "1", by="njeri")
        assert (status, "already-decided" in said) == (1, True)
        assert desk("list") == (0, "Nobody's second factor waits to be removed.\n")
        assert desk("propose", "0712000001")[1].startswith("Lost factor ")

    def test_there_must_be_one(self, app, desk):
        assert "no-second-factor" in desk("propose", "0712000001")[1]
        assert "already-decided" in desk("approve", "7")[1]

    @pytest.mark.parametrize(
        ("role", "statement"),
        [
            ("worker", "SELECT secret FROM totps"),
            ("worker", "UPDATE totps SET confirmed_at = NULL"),
            ("worker", "DELETE FROM lost_factors"),
            ("web", "SELECT * FROM lost_factors"),
        ],
    )
    def test_nobody_may_do_more(self, house, role, statement):
        with (
            pytest.raises(Exception, match="permission denied"),
            house.databases[role].begin() as session,
        ):
            session.connection().exec_driver_sql(statement)
