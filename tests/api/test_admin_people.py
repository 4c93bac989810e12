"""Staff look at people, suspend them, and lift suspensions by two; all of it is kept."""

from __future__ import annotations

import pytest
from app import kes
from bank import PIN
from colleague import Colleague, logged_in
from processes import environment
from smartphone import Smartphone, refused

from workers import desk


@pytest.fixture
def kamau(house) -> Colleague:
    return logged_in(house, "kamau")


@pytest.fixture
def amina_s(house) -> Colleague:
    return logged_in(house, "amina")


WANJIRU = "/people/+254712000001"


def test_somebody_is_found_by_phone_and_wallet_number_and_that_is_kept(house, kamau, wanjiru):
    found = kamau.gets(f"/admin{WANJIRU}").json
    assert (found["name"], found["tier"], found["devices"]) == ("Wanjiru", "verified", 0)
    again = kamau.gets(f"/admin/people/{found['wallet_number']}").json
    assert again == found
    lines = house.bank.rows("SELECT actor, subject FROM audit_log WHERE action = 'looked-at'")
    assert lines == [("staff:kamau", "subscriber:1")] * 2
    kamau.gets("/admin/people/+254712999999")
    kamau.is_refused(404, "unknown-recipient")


def test_who_is_suspended_moves_nothing_until_two_have_lifted_it(
    house, kamau, amina_s, wanjiru_s, otieno
):
    kamau.decides(f"{WANJIRU}/suspension", note="the police asked")
    wanjiru_s.bearer = house.logged_in("+254712000001")
    send = {"to": "+254733000002", "amount": kes("10.00"), "pin": "4071"}
    wanjiru_s.posts("/transfers", send)
    wanjiru_s.is_refused(403, "account-suspended")
    kamau.posts(f"/admin{WANJIRU}/tier", {"tier": "verified", "note": "never mind"})
    kamau.is_refused(403, "suspension-stands")

    lift = kamau.decides(f"{WANJIRU}/lift", tier="verified", note="it was another")["made"]
    [waiting] = amina_s.gets("/admin/lifts").json["lifts"]
    assert (waiting["lift"], waiting["proposed_by"]) == (lift, "staff:kamau")
    kamau.posts(f"/admin/lifts/{lift}/approval", {"note": "I say so"})
    kamau.is_refused(403, "own-request")
    house.bank.run(
        "INSERT INTO identities (subscriber_id, name, document_kind, document_digest,"
        " document_end, born_on, submitted_at)"
        " VALUES (1, 'Wanjiru', 'passport', '\\x00', '123', '1990-01-01', '2026-11-20')"
    )
    amina_s.decides(f"/lifts/{lift}/approval", note="so it was")
    assert wanjiru_s.posts("/transfers", send).status_code == 201

    lines = house.bank.rows(
        "SELECT actor, action, origin FROM audit_log WHERE action LIKE 'lift%'"
        " OR action = 'tier-set' AND actor LIKE 'staff:%' ORDER BY id"
    )
    assert lines == [
        ("staff:kamau", "tier-set", "api"),
        ("staff:kamau", "lift-proposed", "api"),
        ("staff:amina", "lift-approved", "api"),
        ("staff:amina", "tier-set", "api"),
    ]


class TestWhoIsSuspended:
    """What they hold is good no more, at once: whoever took it from them has nothing, either."""

    @pytest.fixture
    def phone(self, house, wanjiru) -> Smartphone:
        return Smartphone(house).logs_in()

    @pytest.fixture
    def program(self, house, phone) -> Smartphone:
        wanted = {"name": "Till", "permissions": ["read", "transfer"], "lifetime": "1D"}
        made = phone.post("/api-keys", **wanted, pin=PIN)
        return Smartphone(house, token=made.json["key"])

    def test_is_logged_in_nowhere(self, house, kamau, phone):
        tablet = Smartphone(house, device="Tablet").logs_in()
        assert phone.is_in()
        assert tablet.is_in()
        kamau.decides(f"{WANJIRU}/suspension", note="the police asked")
        for each in (phone, tablet):
            assert not each.is_in()
            answer = each.post("/auth/refresh", refresh_token=each.refresh_token)
            refused(answer, 401, "not-known")
        because = house.bank.rows("SELECT revoked_because FROM devices")
        assert because == [("suspended",)] * 2
        assert house.bank.one(
            "SELECT actor FROM audit_log WHERE action = 'devices-removed'"
            " AND detail ->> 'because' = 'suspended'"
        ) == ("staff:kamau")

    def test_is_not_by_the_desk_either(self, house, phone, monkeypatch):
        assert phone.is_in()
        for name, value in environment(house).items():
            monkeypatch.setenv(name, value)
        words = ("tier", "set", phone.msisdn, "suspended", "--why", "x", "--by", "amina")
        assert desk.main(words) == 0
        assert not phone.is_in()

    def test_has_no_keys_until_it_is_lifted(self, house, kamau, amina_s, phone, program):
        assert program.get("/wallet").status_code == 200
        kamau.decides(f"{WANJIRU}/suspension", note="the police asked")
        refused(program.get("/wallet"), 401, "not-known")
        phone.logs_in()
        lift = kamau.decides(f"{WANJIRU}/lift", tier="pending", note="it was another")["made"]
        refused(program.get("/wallet"), 401, "not-known")
        amina_s.decides(f"/lifts/{lift}/approval", note="so it was")
        assert program.get("/wallet").status_code == 200

    def test_may_log_in_anew_and_look(self, kamau, phone):
        kamau.decides(f"{WANJIRU}/suspension", note="the police asked")
        assert phone.logs_in().get("/wallet").status_code == 200

    def test_other_tiers_end_nothing(self, kamau, phone, program):
        kamau.decides(f"{WANJIRU}/tier", tier="rejected", note="borrowed papers")
        assert phone.is_in()
        assert program.get("/wallet").status_code == 200

    def test_is_nobody_for_who_looks_where_redis_is_asked_first(self, house, kamau, phone):
        """The doors' copy of who is logged in is struck by the worker, too."""
        assert phone.get("/me").status_code == 200
        copies = house.redis.keys("kabambe:device:*")
        assert len(copies) == 1
        kamau.decides(f"{WANJIRU}/suspension", note="the police asked")
        assert house.redis.get(copies[0]) == b"struck"


def test_an_act_has_the_id_of_the_request_that_asked_for_it(house, kamau, wanjiru):
    kamau.posts(f"/admin{WANJIRU}/suspension", {"note": "x"})
    asked = kamau.answer.headers["X-Request-Id"]
    assert asked == house.bank.one(
        "SELECT request FROM audit_log WHERE action = 'tier-set' AND actor = 'staff:kamau'"
    )


def test_the_same_key_decides_once_and_another_request_under_it_is_refused(house, kamau, wanjiru):
    first = kamau.posts(f"/admin{WANJIRU}/suspension", {"note": "x"}, key="the-same-key")
    again = kamau.posts(f"/admin{WANJIRU}/suspension", {"note": "x"}, key="the-same-key")
    assert first.json == again.json
    assert house.bank.one("SELECT count(*) FROM staff_acts") == 1
    kamau.posts(f"/admin{WANJIRU}/suspension", {"note": "y"}, key="the-same-key")
    kamau.is_refused(409, "key-reused")
    kamau.posts(f"/admin{WANJIRU}/suspension", {"note": "y"}, key=None)
    kamau.is_refused(400, "key-missing")


def test_without_a_worker_it_is_promised_and_the_relay_has_it_done(
    house, kamau, wanjiru, monkeypatch
):
    monkeypatch.setattr("gateway.api.acting.WAIT_SECONDS_MAX", 0.0)
    house.workers_are_there = False
    answer = kamau.posts(f"/admin{WANJIRU}/suspension", {"note": "x"})
    assert (answer.status_code, answer.json["state"]) == (202, "placed")
    house.redis.flushdb()  # the ring is lost
    house.send_messages()
    assert kamau.gets(answer.headers["Location"]).json["state"] == "done"
    assert house.bank.one("SELECT tier FROM subscribers WHERE id = 1") == "suspended"


def test_who_was_logged_out_meanwhile_has_decided_nothing(house, kamau, wanjiru, monkeypatch):
    monkeypatch.setattr("gateway.api.acting.WAIT_SECONDS_MAX", 0.0)
    house.workers_are_there = False
    kamau.posts(f"/admin{WANJIRU}/suspension", {"note": "x"})
    kamau.posts("/admin/logout", key=None)
    house.send_messages()
    assert house.bank.one("SELECT state FROM staff_acts") == "refused"
    assert house.bank.one("SELECT tier FROM subscribers WHERE id = 1") == "verified"


def test_an_act_is_seen_by_who_asked_for_it_alone(kamau, amina_s, wanjiru):
    act = kamau.decides(f"{WANJIRU}/suspension", note="x")["act"]
    assert kamau.gets(f"/admin/acts/{act}").json["what"] == "set-tier"
    amina_s.gets(f"/admin/acts/{act}")
    amina_s.is_refused(404, "not-here")


class TestTheWeb:
    """What it may do by itself, whoever has taken it over."""

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT detail FROM audit_log",
            "SELECT * FROM cases",
            "INSERT INTO staff (name, password_hash, secret, made_at) VALUES ('x', '', '', now())",
            "UPDATE staff SET password_hash = ''",
            "UPDATE subscribers SET tier = 'verified'",
            "INSERT INTO staff_acts (what) VALUES ('set-tier')",
            "SET LOCAL ROLE kabambe_staff; UPDATE staff_acts SET state = 'placed'",
            "SET LOCAL ROLE kabambe_staff; UPDATE subscribers SET tier = 'verified'",
            "SET LOCAL ROLE kabambe_staff; SELECT password_hash FROM staff",
            "SET LOCAL ROLE kabambe_staff; SELECT post('[]', now())",
        ],
    )
    def test_does_none_of_it(self, house, statement):
        with (
            pytest.raises(Exception, match=r"permission denied|does not exist"),
            house.databases["web"].begin() as session,
        ):
            session.connection().exec_driver_sql(statement)
