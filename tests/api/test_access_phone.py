"""Sign up and log in by phone: the code shows the phone, the PIN who holds it."""

from __future__ import annotations

import re

import pytest
from bank import PIN
from smartphone import Smartphone, refused

STRANGER = "+254733999999"


@pytest.fixture
def app(house) -> Smartphone:
    return Smartphone(house)


def typed(app, count, *, code="000000"):
    """What is answered when a wrong code is typed so often."""
    return [
        app.post("/auth/otp/verify", phone=app.msisdn, code=code).json["code"]
        for _time in range(count)
    ]


class TestSignUp:
    def test_somebody_new_has_an_account_and_is_in(self, house, app):
        app.signs_up("Wanjiru")
        me = app.get("/me").json
        assert re.fullmatch(r"384[0-9]{10}", me.pop("wallet_number"))
        assert me == {
            "phone": "+254712000001",
            "name": "Wanjiru",
            "language": "en",
            "tier": "pending",
            "second_factor": False,
        }
        assert "Kabambe. Balance KES 0.00" in house.phone("+254712000001").dial().screen

    def test_a_ticket_opens_one_account(self, app):
        ticket = app.ticket()
        given = {"ticket": ticket, "pin": PIN, "device": "Pixel 8", "terms": "2026-11"}
        app.keeps(app.post("/auth/register", name="Wanjiru", **given), 201)
        again = app.post("/auth/register", name="Wanjiru", **given)
        refused(again, 409, "ticket-over")

    def test_whoever_has_an_account_gets_no_second(self, wanjiru, app):
        ticket = app.ticket()
        given = {"ticket": ticket, "pin": PIN, "device": "Pixel 8", "terms": "2026-11"}
        refused(app.post("/auth/register", name="W W", **given), 409, "already-registered")

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"pin": "1234"}, "weak-pin"),
            ({"pin": "١٢٣٤"}, "invalid-pin"),
            ({"name": "Kabambe"}, "invalid-name"),
            ({"device": "call 0712\n000001"}, "invalid-device-name"),
            ({"device": "www.x.example/log-in"}, "invalid-device-name"),
            ({"terms": "2020-01"}, "invalid-request"),
            ({"language": "xx"}, "invalid-request"),
            ({"admin": True}, "invalid-request"),
        ],
    )
    def test_what_will_not_do_leaves_the_ticket_good(self, house, app, wrong, code):
        given = {"name": "Wanjiru", "pin": PIN, "device": "Pixel 8", "terms": "2026-11"}
        ticket = app.ticket()
        refused(app.post("/auth/register", ticket=ticket, **given | wrong), 422, code)
        assert house.bank.one("SELECT count(*) FROM subscribers") == 0
        app.keeps(app.post("/auth/register", ticket=ticket, **given), 201)


class TestLogIn:
    def test_somebody_is_in_by_code_and_pin_and_told_of_it(self, house, wanjiru, app):
        assert not app.is_in()
        assert app.logs_in().is_in()
        assert app.heard(
            "Somebody with your PIN logged in to Kabambe on Pixel 8 on 21/11/26 09:30."
            " If that was not you, dial *384# and change your PIN now."
        )
        (audited,) = house.bank.rows(
            "SELECT actor, origin, detail ->> 'name' AS device FROM audit_log"
            " WHERE action = 'device-added'"
        )
        assert tuple(audited) == ("+254712000001", "203.0.113.7", "Pixel 8")

    def test_a_wrong_pin_lets_nobody_in_and_the_ticket_stays_good(self, wanjiru, app):
        ticket = app.ticket()
        given = {"ticket": ticket, "device": "Pixel 8"}
        wrong = refused(app.post("/auth/login", pin="9174", **given), 403, "wrong-pin")
        assert wrong["tries_left"] == 2
        app.keeps(app.post("/auth/login", pin=PIN, **given), 200)
        refused(app.post("/auth/login", pin=PIN, **given), 409, "ticket-over")

    def test_a_ticket_is_good_for_ten_minutes(self, house, wanjiru, app):
        ticket = app.ticket()
        house.clock.passes(minutes=10)
        late = app.post("/auth/login", ticket=ticket, pin=PIN, device="Pixel 8")
        refused(late, 409, "ticket-over")

    def test_a_ticket_of_somebody_new_logs_nobody_in(self, app):
        answer = app.post("/auth/login", ticket=app.ticket(), pin=PIN, device="Pixel 8")
        refused(answer, 409, "ticket-over")

    def test_neither_ticket_nor_token_is_kept_in_the_clear(self, house, wanjiru, app):
        ticket = app.ticket()
        app.keeps(app.post("/auth/login", ticket=ticket, pin=PIN, device="Pixel 8"), 200)
        secrets = (ticket, app.token, app.refresh_token)
        tables = house.bank.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in tables:
            for row in house.bank.rows(f"SELECT CAST(t AS text) AS said FROM {table} t"):
                assert not any(secret in row.said for secret in secrets), table
        for key in house.redis.scan_iter("*"):
            if house.redis.type(key) == b"string":
                said = house.redis.get(key).decode(errors="replace")
                assert not any(secret in said for secret in secrets), key

    def test_the_eleventh_device_ends_the_one_not_seen_for_the_longest(self, house, wanjiru):
        first = Smartphone(house).logs_in()
        house.bank.run(
            "INSERT INTO devices (public_id, subscriber_id, name, second_factor, begun_at, seen_at,"
            " ends_at) SELECT 'dev_' || n, 1, 'Other', false, :now, :now, :later"
            " FROM generate_series(1, 9) n",
            now=house.clock(),
            later=house.clock.now.replace(year=2027),
        )
        house.clock.passes(minutes=1)
        last = Smartphone(house).logs_in()
        assert not first.is_in()
        assert last.is_in()
        assert len(last.get("/devices").json["devices"]) == 10


class TestEnumeration:
    """Whether a number has an account, nobody learns who cannot read its messages."""

    @pytest.fixture
    def crowd(self):
        """Numbers that nobody has."""
        return [f"+2547129900{each:02}" for each in range(60)]

    def test_guesses_at_strangers_count_for_everybody(self, house, wanjiru, crowd):
        """A hundred wrong codes: from there on one try each, whoever has an account."""
        for number in crowd[:25]:
            app = Smartphone(house, number, address=f"198.51.100.{crowd.index(number)}")
            assert app.post("/auth/otp", phone=number).status_code == 202
            typed(app, 4)
            house.clock.passes(seconds=1)
        told = []
        for app in (Smartphone(house), Smartphone(house, STRANGER)):
            app.post("/auth/otp", phone=app.msisdn)
            [code] = typed(app, 1)
            told.append(code)
        assert told == ["otp-spent", "otp-spent"]

    def test_codes_of_strangers_count_for_everybody(self, house, wanjiru, crowd):
        for number in crowd:
            app = Smartphone(house, number, address=f"198.51.100.{crowd.index(number)}")
            assert app.post("/auth/otp", phone=number).status_code == 202
        for app in (Smartphone(house), Smartphone(house, STRANGER)):
            refused(app.post("/auth/otp", phone=app.msisdn), 403, "too-many-otps")

    def test_every_answer_is_the_same_until_the_code_is_right(self, house, wanjiru):
        known, unknown = Smartphone(house), Smartphone(house, STRANGER)
        told = []
        for app in (known, unknown):
            answers = [
                app.post("/auth/otp/verify", phone=app.msisdn, code="000000"),
                app.post("/auth/otp", phone=app.msisdn),
                *(app.post("/auth/otp/verify", phone=app.msisdn, code="000000") for _ in range(6)),
                app.post("/auth/otp", phone=app.msisdn),
            ]
            told.append(
                [
                    (
                        answer.status_code,
                        {k: v for k, v in answer.json.items() if k != "instance"},
                        sorted(answer.headers.keys()),
                    )
                    for answer in answers
                ]
            )
        assert told[0] == told[1]
        assert told[0][-1][1]["code"] == "log-in-locked"

    def test_too_many_codes_are_told_of_both_alike(self, house, wanjiru):
        for app in (Smartphone(house), Smartphone(house, STRANGER)):
            got = [app.post("/auth/otp", phone=app.msisdn).status_code for _time in range(4)]
            assert got == [202, 202, 202, 403]

    def test_who_reads_the_messages_may_know(self, house, wanjiru):
        for app, known in ((Smartphone(house), True), (Smartphone(house, STRANGER), False)):
            app.post("/auth/otp", phone=app.msisdn)
            answer = app.post("/auth/otp/verify", phone=app.msisdn, code=app.code())
            assert answer.json["registered"] is known


class TestTheLock:
    def test_five_wrong_codes_close_this_door_and_not_the_phones(self, house, wanjiru, app):
        app.post("/auth/otp", phone=app.msisdn)
        assert typed(app, 4) == ["otp-wrong"] * 4
        assert typed(app, 2) == ["log-in-locked"] * 2
        refused(app.post("/auth/otp", phone=app.msisdn), 403, "log-in-locked")
        phone = house.phone(app.msisdn).dial().types("3", "1", "1", PIN)
        assert "New PIN" in phone.screen
        house.clock.passes(minutes=15)
        assert app.logs_in().is_in()

    def test_the_right_code_does_not_help_once_it_is_locked(self, wanjiru, app):
        app.post("/auth/otp", phone=app.msisdn)
        code = app.code()
        typed(app, 5)
        assert typed(app, 1, code=code) == ["log-in-locked"]

    def test_three_wrong_pins_here_lock_the_phone_too(self, house, wanjiru, app):
        given = {"ticket": app.ticket(), "device": "Pixel 8", "pin": "9174"}
        got = [app.post("/auth/login", **given).json["code"] for _time in range(4)]
        assert got == ["wrong-pin", "wrong-pin", "pin-locked", "pin-locked"]
        phone = house.phone(app.msisdn).dial().types("3", "1", "1", PIN)
        assert "Too many wrong PINs" in phone.screen

    def test_tries_by_phone_and_here_are_one_count(self, house, wanjiru, app):
        house.phone(app.msisdn).dial().types("3", "1", "1", "9174", "9175").hangs_up()
        given = {"ticket": app.ticket(), "device": "Pixel 8"}
        refused(app.post("/auth/login", pin="9176", **given), 403, "pin-locked")
        refused(app.post("/auth/login", pin=PIN, **given), 403, "pin-locked")

    def test_wrong_pins_go_on_counting_to_five_when_the_pin_is_free_again(
        self, house, wanjiru, app
    ):
        for pin in ("9174", "9175", "9176"):
            app.post("/auth/login", ticket=app.ticket(), device="P", pin=pin)
            house.clock.passes(minutes=8)
        house.clock.passes(minutes=15)
        given = {"ticket": app.ticket(), "device": "P"}
        refused(app.post("/auth/login", pin="9177", **given), 403, "wrong-pin")
        refused(app.post("/auth/login", pin="9178", **given), 403, "log-in-locked")
        refused(app.post("/auth/login", pin=PIN, **given), 403, "log-in-locked")
        assert "Too many wrong PINs" in (
            house.phone(app.msisdn).dial().types("3", "1", "1", PIN).screen
        )
        assert app.heard(
            "Somebody with your codes failed 5 times to log in to Kabambe. Your PIN is locked until"
            " 10:24. If that was not you, contact us."
        )
        house.clock.passes(minutes=15)
        assert app.logs_in().is_in()
