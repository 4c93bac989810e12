"""Staff log in by two factors, stay for a day, and are out at once; nobody else comes in."""

from __future__ import annotations

import pytest
from app import App
from colleague import PASSWORD, Colleague, logged_in

from core import staff_logins
from core.audit import Actor
from core.staff_logins import Unfit


@pytest.fixture
def kamau(house) -> Colleague:
    return logged_in(house, "kamau")


def audited(house, *what):
    return house.bank.rows(
        "SELECT actor, action, subject, request FROM audit_log WHERE action = ANY(:what)"
        " ORDER BY id",
        what=list(what),
    )


class TestLoggingIn:
    def test_takes_both_factors_and_is_kept(self, house):
        kamau = Colleague(house, "Kamau  Njoroge").logs_in()
        assert kamau.gets("/admin/me").json == {"name": "kamau njoroge"}
        [line] = audited(house, "staff-logged-in")
        assert line[:3] == ("staff:kamau njoroge", "staff-logged-in", "staff:1")

    def test_is_not_done_without_the_second_factor(self, house):
        kamau = Colleague(house, "kamau")
        kamau.posts("/admin/login", {"name": "kamau", "password": PASSWORD}, key=None)
        kamau.is_refused(422, "invalid-request")

    def test_tells_not_what_was_wrong(self, house):
        kamau = Colleague(house, "kamau")
        told = []
        for wrong in (
            {"name": "nobody"},
            {"password": "correct horse battery?"},
            {"totp": kamau.authenticator.wrong()},
        ):
            kamau.shows(**wrong)
            problem = kamau.is_refused(401, "not-known")
            told.append({name: problem[name] for name in problem if name != "instance"})
        assert told[0] == told[1] == told[2]

    def test_takes_each_code_once(self, house):
        kamau = Colleague(house, "kamau")
        code = kamau.authenticator.code()
        assert kamau.shows(totp=code).status_code == 200
        kamau.shows(totp=code)
        kamau.is_refused(401, "not-known")
        house.clock.passes(seconds=30)
        kamau.shows(totp=code)
        kamau.is_refused(401, "not-known")
        assert kamau.shows().status_code == 200

    @pytest.mark.parametrize("name", ["kamau", "nobody"])
    def test_five_wrong_tries_lock_a_name_there_whether_somebody_has_it_or_not(self, house, name):
        kamau = Colleague(house, "kamau")
        wrong = {"name": name, "password": "correct horse battery?"}
        codes = [kamau.shows(**wrong).json["code"] for _time in range(5)]
        assert codes == ["not-known"] * 4 + ["log-in-locked"]
        kamau.shows(name=name)
        kamau.is_refused(403, "log-in-locked")
        assert [each[2] for each in audited(house, "log-in-locked")] == [f"staff:{name}"]
        assert [each[:3] for each in audited(house, "staff-log-in-failed")] == [
            ("nobody yet", "staff-log-in-failed", f"staff:{name}")
        ] * 5
        house.clock.passes(minutes=15)
        assert kamau.shows(name="kamau").status_code == 200

    def test_nobody_is_kept_out_by_wrong_tries_from_elsewhere(self, house):
        kamau, stranger = Colleague(house, "kamau"), App(house.app.test_client())
        wrong = {"name": "kamau", "password": "correct horse battery?", "totp": "000000"}
        elsewhere = {"REMOTE_ADDR": "203.0.113.66"}
        for _time in range(6):
            stranger.posts("/admin/login", wrong, key=None, environ_base=elsewhere)
        stranger.is_refused(403, "log-in-locked")
        assert kamau.shows().status_code == 200

    def test_wrong_tries_from_five_addresses_lock_a_name(self, house):
        kamau, strangers = Colleague(house, "kamau"), App(house.app.test_client())
        wrong = {"name": "kamau", "password": "correct horse battery?", "totp": "000000"}
        for number in range(25):
            where = {"REMOTE_ADDR": f"203.0.113.{number // 5}"}
            if number == 24:
                assert (
                    house.bank.one(
                        "SELECT locked_until FROM log_in_tries WHERE subject = 'staff:kamau'"
                    )
                    is None
                )
            strangers.posts("/admin/login", wrong, key=None, environ_base=where)
        kamau.shows()
        kamau.is_refused(403, "log-in-locked")
        house.clock.passes(minutes=15)
        assert kamau.shows().status_code == 200

    def test_keeps_nothing_in_the_clear(self, house):
        kamau = Colleague(house, "kamau").logs_in()
        kept = str(house.bank.rows("SELECT * FROM staff, staff_log_ins, staff_refreshes"))
        for secret in (PASSWORD, kamau.authenticator.totp.secret, kamau.refresh_token):
            assert secret not in kept


class TestStaying:
    def test_a_refresh_token_is_good_once_and_a_copy_ends_the_log_in(self, house, kamau):
        copied = kamau.refresh_token
        kamau.keeps(kamau.refreshes())
        assert kamau.gets("/admin/me").status_code == 200
        thief = Colleague(house, "thief")
        thief.refresh_token = copied
        thief.refreshes()
        thief.is_refused(401, "not-known")
        kamau.gets("/admin/me")
        kamau.is_refused(401, "not-known")
        kamau.refreshes()
        kamau.is_refused(401, "not-known")

    def test_no_log_in_outlasts_the_day(self, house, kamau):
        for _turn in range(4):
            house.clock.passes(hours=2)
            kamau.keeps(kamau.refreshes())
        house.clock.passes(hours=2)
        kamau.refreshes()
        kamau.is_refused(401, "not-known")

    def test_logged_out_is_out_at_once(self, house, kamau):
        assert kamau.posts("/admin/logout", key=None).status_code == 204
        kamau.gets("/admin/figures")
        kamau.is_refused(401, "not-known")
        kamau.refreshes()
        kamau.is_refused(401, "not-known")
        assert audited(house, "staff-logged-out")[0][0] == "staff:kamau"

    @pytest.mark.parametrize("what", ["reset", "end"])
    def test_the_desk_ends_every_log_in_at_once(self, house, kamau, what):
        given = {"name": "Kamau", "actor": Actor("staff:amina", "desk", "x"), "now": house.clock()}
        more = {"password": "another password", "hasher": house.conversation.hasher}
        more |= {"chest": house.api.chest}
        with house.databases["worker"].begin() as session:
            if what == "reset":
                staff_logins.reset(session, **given, **more)
            else:
                staff_logins.end(session, **given)
        kamau.gets("/admin/me")
        kamau.is_refused(401, "not-known")
        kamau.shows()
        kamau.is_refused(401, "not-known")

    def test_what_ended_does_not_come_back(self, house, kamau):
        kamau.posts("/admin/logout", key=None)
        with pytest.raises(Exception, match="stays so"), house.databases["web"].begin() as session:
            session.connection().exec_driver_sql(
                "UPDATE staff_log_ins SET revoked_at = NULL, revoked_because = NULL"
            )


def test_names_are_never_given_twice_and_passwords_are_long(house):
    house.hires("kamau", PASSWORD)
    with pytest.raises(Unfit):
        house.hires("KAMAU ", PASSWORD)
    with pytest.raises(Unfit):
        house.hires("amina", "too short")


def test_the_figures_are_the_houses(house, kamau, wanjiru, otieno):
    found = kamau.gets("/admin/figures").json
    assert found["people"] == 2
    [held] = found["held"]
    assert held["people"] == 1
    assert int(float(held["money"]["value"]) * 100) == house.bank.one(
        "SELECT sum(balance) FROM accounts WHERE path LIKE 'user:%'"
    )
    assert found["backlog"] == {"orders": 0, "outbox": 0, "inbox": 0}
    assert (found["open_cases"], found["open_suspense"], found["reversals"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("/admin/cases", "cases"),
        ("/admin/audit-log", "audit-log"),
        ("/admin/rails/mpesa", "rail:mpesa"),
        ("/admin/reversals", "reversals"),
        ("/admin/lifts", "lifts"),
        ("/admin/suspense", "suspense"),
        ("/admin/figures", "figures"),
    ],
)
def test_whatever_is_looked_at_is_kept(house, kamau, path, subject):
    assert kamau.gets(path).status_code == 200
    assert [each[:3] for each in audited(house, "looked-at")] == [
        ("staff:kamau", "looked-at", subject)
    ]


def test_a_copied_log_in_is_kept(house, kamau):
    copied = kamau.refresh_token
    kamau.keeps(kamau.refreshes())
    kamau.posts("/admin/refresh", {"refresh_token": copied}, key=None)
    kamau.is_refused(401, "not-known")
    assert [each[:3] for each in audited(house, "staff-log-in-copied")] == [
        ("nobody yet", "staff-log-in-copied", "staff:1")
    ]
