"""API keys: shown once, some permissions, for a time, five at most; they end at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from bank import PIN
from smartphone import Smartphone, refused


@pytest.fixture
def app(house, wanjiru) -> Smartphone:
    return Smartphone(house).logs_in()


def makes(app, *permissions, lifetime="1D", **more):
    given = {"name": "Till", "permissions": permissions or ["read"], "lifetime": lifetime}
    return app.post("/api-keys", **given | {"pin": PIN} | more)


def program(app, made) -> Smartphone:
    assert made.status_code == 201, made.json
    return Smartphone(app.house, token=made.json["key"])


class TestAKey:
    def test_is_shown_once_and_kept_as_a_hash(self, house, app):
        made = makes(app, "read", "transfer")
        key = made.json["key"]
        assert key.startswith("sk_live_")
        (listed,) = app.get("/api-keys").json["keys"]
        assert listed == {
            "id": made.json["id"],
            "name": "Till",
            "end": key[-4:],
            "permissions": ["read", "transfer"],
            "state": "good",
            "made_at": "2026-11-21T06:30:00Z",
            "expires_at": "2026-11-22T06:30:00Z",
            "used_at": None,
        }
        for (table,) in house.bank.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ):
            for row in house.bank.rows(f"SELECT CAST(t AS text) AS said FROM {table} t"):
                assert key not in row.said, table

    def test_its_owner_is_told(self, house, app):
        makes(app)
        assert app.heard(
            "A key was made on 21/11/26 09:30 with which a program can use your Kabambe account."
            " If that was not you, contact us now."
        )

    @pytest.mark.parametrize(
        ("permissions", "reads"), [(["read"], 200), (["deposit"], 403), (["withdraw"], 403)]
    )
    def test_may_do_what_it_was_made_for(self, app, permissions, reads):
        assert program(app, makes(app, *permissions)).get("/wallet").status_code == reads

    def test_never_says_who_else_may_act(self, app):
        service = program(app, makes(app, "read", "deposit", "transfer", "withdraw"))
        for answer in (
            service.get("/api-keys"),
            makes(service, "read"),
            service.get("/devices"),
            service.post("/totp", pin=PIN),
            service.post("/auth/pin", pin=PIN, new_pin="6820"),
            service.post("/auth/logout"),
        ):
            refused(answer, 403, "not-permitted")

    @pytest.mark.parametrize("permissions", [["own"], ["admin"], [], ["read", "everything"]])
    def test_cannot_be_made_to_do_more(self, app, permissions):
        given = {"name": "Till", "permissions": permissions, "lifetime": "1D", "pin": PIN}
        refused(app.post("/api-keys", **given), 422, "invalid-request")

    @pytest.mark.parametrize(
        ("lifetime", "until"),
        [
            ("1H", "2026-11-21T07:30:00Z"),
            ("1D", "2026-11-22T06:30:00Z"),
            ("1M", "2026-12-21T06:30:00Z"),
            ("1Y", "2027-11-21T06:30:00Z"),
        ],
    )
    def test_is_good_for_a_time(self, app, lifetime, until):
        assert makes(app, lifetime=lifetime).json["expires_at"] == until

    def test_is_over_to_the_second(self, house, app):
        service = program(app, makes(app, lifetime="1H"))
        house.clock.passes(minutes=59, seconds=59)
        assert service.get("/me").status_code == 200
        house.clock.passes(seconds=1)
        refused(service.get("/me"), 401, "not-known")

    def test_wants_the_pin_of_its_owner(self, house, app):
        refused(makes(app, pin="9174"), 403, "wrong-pin")
        assert house.bank.one("SELECT count(*) FROM api_keys") == 0
        assert house.bank.one("SELECT wrong_tries FROM pins") == 1

    @pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key + "A", str.upper])
    def test_another_is_none(self, app, change):
        service = program(app, makes(app))
        service.token = change(service.token)
        refused(service.get("/me"), 401, "not-known")

    def test_the_last_use_is_told_and_written_once_a_minute(self, house, app):
        service = program(app, makes(app))
        for _call in range(3):
            service.get("/me")
            house.clock.passes(seconds=20)
        app.refreshes()
        assert app.get("/api-keys").json["keys"][0]["used_at"] == "2026-11-21T06:30:00Z"
        service.get("/me")
        assert app.get("/api-keys").json["keys"][0]["used_at"] == "2026-11-21T06:31:00Z"


class TestTheEnd:
    def test_at_once(self, app):
        made = makes(app)
        service = program(app, made)
        assert service.get("/me").status_code == 200
        assert app.delete(f"/api-keys/{made.json['id']}").status_code == 204
        refused(service.get("/me"), 401, "not-known")
        assert app.get("/api-keys").json["keys"][0]["state"] == "revoked"
        assert app.delete(f"/api-keys/{made.json['id']}").status_code == 204

    def test_nobody_ends_anothers(self, house, app, otieno):
        made = makes(app)
        other = Smartphone(house, otieno.phone.msisdn).logs_in()
        refused(other.delete(f"/api-keys/{made.json['id']}"), 404, "unknown-api-key")
        assert other.get("/api-keys").json == {"keys": []}
        assert program(app, made).get("/me").status_code == 200

    def test_with_the_account(self, house):
        house.register("+254755000009", name="Njeri")
        app = Smartphone(house, "+254755000009").logs_in()
        service = program(app, makes(app))
        assert service.get("/me").status_code == 200
        house.phone("+254755000009").dial().types("3", "5", "1", PIN)
        refused(service.get("/me"), 401, "not-known")


class TestFiveAtMost:
    def test_one_more_is_refused_until_one_ends(self, house, app):
        made = [makes(app) for _n in range(5)]
        assert refused(makes(app), 409, "too-many-api-keys")["count_max"] == 5
        app.delete(f"/api-keys/{made[0].json['id']}")
        assert makes(app).status_code == 201

    def test_a_key_that_is_over_takes_no_room(self, house, app):
        for _n in range(5):
            makes(app, lifetime="1H")
        house.clock.passes(hours=1)
        app.refreshes()
        assert makes(app).status_code == 201

    def test_of_many_at_once_five_are_made(self, house, app):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _n: makes(app).status_code, range(12)))
        assert sorted(answers) == [201] * 5 + [409] * 7
        assert house.bank.one("SELECT count(*) FROM api_keys") == 5


class TestRollover:
    def rolls(self, app, made, **more):
        path = f"/api-keys/{made.json['id']}/rollover"
        return app.post(path, **{"lifetime": "1M", "pin": PIN} | more)

    def test_a_key_that_is_over_is_followed_by_one_that_may_do_the_same(self, house, app):
        old = makes(app, "read", "deposit", lifetime="1H")
        house.clock.passes(hours=1)
        app.refreshes()
        new = self.rolls(app, old)
        assert new.json["permissions"] == ["deposit", "read"]
        assert new.json["name"] == "Till"
        assert new.json["key"] != old.json["key"]
        assert program(app, new).get("/me").status_code == 200
        refused(program(app, old).get("/me"), 401, "not-known")

    def test_once(self, house, app):
        old = makes(app, lifetime="1H")
        house.clock.passes(hours=1)
        app.refreshes()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _n: self.rolls(app, old).status_code, range(4)))
        assert sorted(answers) == [201, 409, 409, 409]

    def test_one_that_is_good_or_was_revoked_is_not(self, house, app):
        good = makes(app)
        refused(self.rolls(app, good), 409, "api-key-not-over")
        revoked = makes(app, lifetime="1H")
        app.delete(f"/api-keys/{revoked.json['id']}")
        house.clock.passes(hours=1)
        app.refreshes()
        refused(self.rolls(app, revoked), 409, "api-key-not-over")

    def test_not_anothers(self, house, app, otieno):
        old = makes(app, lifetime="1H")
        house.clock.passes(hours=1)
        other = Smartphone(house, otieno.phone.msisdn).logs_in()
        refused(self.rolls(other, old), 404, "unknown-api-key")
