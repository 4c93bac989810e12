"""What is sent to hurt: too long, too deep, out of line, from a page of somebody else's."""

from __future__ import annotations

import http.client
from time import perf_counter
from unittest import mock
from urllib.parse import urlsplit

import pytest
from app import App, kes
from house_parts import served

from gateway.api import limits
from menus.sessions import connect

SEND = {"to": "0733000002", "amount": kes("10.00"), "pin": "4071"}


class TestBodies:
    def test_too_long_a_one_is_refused_unread(self, wanjiru_s):
        wanjiru_s.posts("/transfers", SEND | {"pin": "x" * 70_000})
        wanjiru_s.is_refused(413, "too-large")

    def test_a_length_that_is_only_said_is_not_waited_for(self, wanjiru_s):
        said = {"CONTENT_LENGTH": str(10**12)}
        wanjiru_s.asks("POST", "/transfers", json=SEND, environ_overrides=said)
        wanjiru_s.is_refused(413, "too-large")

    @pytest.mark.parametrize("body", ["[" * 30_000, '{"to":' * 9_000, "[" * 9 + "]" * 9])
    def test_too_deep_a_one_is_refused(self, wanjiru_s, body):
        wanjiru_s.asks("POST", "/transfers", data=body, content_type="application/json")
        wanjiru_s.is_refused(400, "unreadable")

    def test_one_that_never_ends_is_gone_through_once(self, wanjiru_s):
        """A wall clock would measure the machine: measured by a plain body of the same length."""

        def took(body):
            began = perf_counter()
            wanjiru_s.asks("POST", "/reversals", data=body, content_type="application/json")
            wanjiru_s.is_refused(400, "unreadable")
            return perf_counter() - began

        plain = max(took(b'{"' + b"a" * 60_000) for _time in range(5))
        for letters in (rb"\"", rb'\\"', b'"', rb"\u", b'"\\'):
            hostile = (b'{"' + letters * 30_000)[:60_000]
            assert min(took(hostile) for _time in range(2)) < 20 * plain + 0.2, letters

    @pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32-le", "latin-1"])
    def test_only_utf_8_is_read(self, wanjiru_s, coding):
        """As it is weighed: half of a letter is a quotation mark, and brackets hide behind it."""
        letter = "é" if coding == "latin-1" else "\N{FOR ALL}"
        body = f'{{"{letter}":' + "[" * 4_000 + '"a"' + "]" * 4_000 + "}"
        how = {"data": body.encode(coding), "content_type": "application/json"}
        wanjiru_s.asks("POST", "/transfers", headers={"Idempotency-Key": "key-of-it"}, **how)
        wanjiru_s.is_refused(400, "unreadable")

    def test_brackets_inside_words_are_no_depth(self, wanjiru_s):
        wanjiru_s.posts("/reversals", {"reference": "T" + "0" * 9, "reason": '[[["[[[[[[[[[\\'})
        wanjiru_s.is_refused(422, "invalid-request")

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"\xff\xfe", b'{"to": "\\ud800"}', b"NaN", b"1" * 5_000, b"[]", b"null"]
    )
    def test_one_that_is_not_what_is_asked_for_is_refused(self, wanjiru_s, body):
        answer = wanjiru_s.asks("POST", "/transfers", data=body, content_type="application/json")
        assert answer.status_code in (400, 422)

    def test_only_json_is_read(self, wanjiru_s):
        for content_type in ("text/plain", "application/x-www-form-urlencoded", "text/json"):
            wanjiru_s.asks("POST", "/transfers", data=b"{}", content_type=content_type)
            wanjiru_s.is_refused(415, "not-json")

    def test_a_field_that_nobody_knows_is_refused(self, wanjiru_s):
        wanjiru_s.posts("/transfers", SEND | {"fee": "0"})
        problem = wanjiru_s.is_refused(422, "invalid-request")
        assert problem["errors"][0]["field"] == "fee"

    def test_what_was_sent_is_not_said_again(self, wanjiru_s):
        answer = wanjiru_s.posts("/transfers", SEND | {"pin": 4071, "to": "a\x00secret"})
        assert answer.status_code == 422
        assert b"4071" not in answer.data
        assert b"secret" not in answer.data


class TestAddresses:
    @pytest.mark.parametrize(
        "path", ["/orders/%00", "/people/%0d%0aX: 1", "/transactions?kind=%00", "/receipts/%1b[2J"]
    )
    def test_letters_that_nobody_types_are_refused(self, wanjiru_s, path):
        wanjiru_s.gets(path)
        wanjiru_s.is_refused(400, "unreadable")

    @pytest.mark.parametrize(
        ("path", "field"),
        [
            ("/transactions?limit=1&limit=2", "limit"),
            ("/transactions?since=2026-01-01&limit=1&since=2026-01-02", "since"),
            ("/transactions?nothing=1", "nothing"),
            ("/wallet?currency=KES", "currency"),
            ("/exchange/rates?x", "x"),
        ],
    )
    def test_words_that_nobody_reads_are_refused(self, wanjiru_s, path, field):
        wanjiru_s.gets(path)
        assert wanjiru_s.is_refused(422, "invalid-request")["errors"][0]["field"] == field

    def test_what_is_not_there_is_a_problem_too(self, app):
        app.gets("/nothing")
        app.is_refused(404, "not-here")
        app.asks("DELETE", "/wallet")
        app.is_refused(405, "no-such-method")
        assert set(app.answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}

    def test_other_doors_say_what_they_always_said(self, house):
        assert house.client.get("/nothing").mimetype == "text/html"
        assert "X-Request-Id" not in house.client.get("/live").headers


EDGES = [
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "1999-12-31T23:59:59Z",
    "253402300799",
]


class TestInstants:
    @pytest.mark.parametrize("when", EDGES)
    def test_of_years_that_no_clock_of_ours_shows_are_refused(self, house, otieno_s, till, when):
        otieno_s.posts("/payment-links", {"expires_at": when})
        assert otieno_s.is_refused(422, "invalid-request")["errors"][0]["field"] == "expires_at"
        where = {"url": f"{house.country_url}/webhooks/till", "pin": "4071"}
        webhook = otieno_s.posts("/webhooks", where).json["id"]
        otieno_s.posts(f"/webhooks/{webhook}/replay", {"since": when})
        assert otieno_s.is_refused(422, "invalid-request")["errors"][0]["field"] == "since"

    def test_are_told_in_utc_whatever_their_clock(self, otieno_s, till):
        made = otieno_s.posts("/payment-links", {"expires_at": "2026-12-31T23:59:59+14:00"})
        assert made.json["expires_at"] == "2026-12-31T09:59:59Z"

    @pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
    def test_days_that_no_calendar_of_ours_has_are_refused(self, wanjiru_s, day):
        for path in ("transactions", "transactions.csv"):
            for query in (f"since={day}", f"until={day}", f"since=2026-01-01&until={day}"):
                assert wanjiru_s.gets(f"/{path}?{query}").status_code in (200, 422), query


class TestHeaders:
    def test_none_can_be_slipped_into_an_answer_or_a_log(self, house, wanjiru, otieno, capfd):
        """Over a socket: test clients refuse to send this."""
        with served(house.app) as url:
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
            for name in ("X-Request-Id", "Idempotency-Key", "Origin", "Accept-Language"):
                connection.putrequest("GET", "/api/v1/exchange/rates")
                connection._buffer.append(
                    f"{name}: a\x0bSet-Cookie: stolen=1\tb\xe9".encode("latin1")
                )
                connection.endheaders()
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
                assert "stolen" not in str(answer.headers)
                assert answer.headers["X-Request-Id"].isalnum()
            connection.close()
        out, err = capfd.readouterr()
        assert "stolen" not in out + err

    def test_every_answer_forbids_what_no_answer_needs(self, app):
        for path in ("/exchange/rates", "/wallet", "/nothing"):
            headers = app.gets(path).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Strict-Transport-Security"].startswith("max-age=")
            assert headers["Cache-Control"] == "no-store"


class TestOrigins:
    def test_a_page_on_the_list_may_call(self, app):
        asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        answer = app.asks("OPTIONS", "/transfers", headers=asked)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Idempotency-Key" in answer.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
        answer = app.gets("/exchange/rates", headers={"Origin": "https://app.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert "RateLimit-Remaining" in answer.headers["Access-Control-Expose-Headers"]

    @pytest.mark.parametrize(
        "origin",
        [
            "https://app.example.evil.com",
            "http://app.example",
            "https://app.example:443",
            "https://evil.app.example",
            "null",
            "*",
        ],
    )
    def test_no_other_may(self, app, origin):
        answer = app.gets("/exchange/rates", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]


class TestLimits:
    def test_are_told_before_they_are_reached(self, house):
        with house.limited(per_minute=3) as client:
            app = App(client)
            left = [app.gets("/exchange/rates").headers["RateLimit-Remaining"] for _ in range(3)]
            assert left == ["2", "1", "0"]
            app.gets("/exchange/rates")
            app.is_refused(429, "too-many-requests")
            assert 0 < int(app.answer.headers["Retry-After"]) <= 61

    def test_are_each_callers_own_and_each_routes(self, house, wanjiru, otieno):
        with house.limited(per_minute=1) as client:
            one = App(client, house.logged_in(wanjiru.phone.msisdn))
            other = App(client, house.logged_in(otieno.phone.msisdn))
            assert one.gets("/wallet").status_code == 200
            assert one.gets("/wallet").status_code == 429
            assert one.gets("/transactions").status_code == 200
            assert other.gets("/wallet").status_code == 200

    def test_who_shows_nothing_or_nonsense_is_counted_by_address(self, house):
        with house.limited(per_minute=2) as client:
            app = App(client)
            statuses = []
            for bearer in ("sk_live_a", "sk_live_b", None, "x.y.z"):
                app.bearer = bearer
                statuses.append(app.gets("/wallet").status_code)
            assert statuses == [401, 401, 429, 429]

    def test_count_who_is_behind_an_operators_address_by_what_they_show(self, house):
        shown = {
            "/auth/otp": ("phone", [f"07129900{each:02}" for each in range(12)]),
            "/auth/otp/verify": ("phone", [f"+2547129900{each:02}" for each in range(12)]),
            "/auth/login": ("ticket", [f"tk_{each}" for each in range(12)]),
            "/auth/register": ("ticket", [f"tk_{each}" for each in range(12)]),
            "/auth/refresh": ("refresh_token", [f"rt_{each}" for each in range(12)]),
        }
        with house.limited(per_minute=10) as client:
            app = App(client)
            for path, (field, several) in shown.items():
                for each in several:
                    assert app.posts(path, {field: each}).status_code != 429, path
                again = [app.posts(path, {field: several[0]}).status_code for _time in range(10)]
                assert again[-1] == 429, path
                assert 429 not in again[:-1], path
        for key in house.redis.scan_iter("*"):
            assert not any(each in str(key) for _, several in shown.values() for each in several)

    def test_count_forty_refresh_tokens_apart(self, house):
        with house.limited(per_minute=30) as client:
            app = App(client)
            for each in range(40):
                app.posts("/auth/refresh", {"refresh_token": f"rt_{each}"})
                app.is_refused(401, "not-known")

    def test_count_a_number_once_however_it_is_written(self, house):
        with house.limited(per_minute=2) as client:
            app = App(client)
            for number in ("0712990001", "+254712990001"):
                app.posts("/auth/otp/verify", {"phone": number, "code": "000000"})
                app.is_refused(404, "no-otp")
            app.posts("/auth/otp/verify", {"phone": "712 990 001", "code": "000000"})
            app.is_refused(429, "too-many-requests")

    def test_count_an_address_however_much_is_shown(self, house):
        with house.limited(per_minute=1) as client:
            app = App(client)
            statuses = [
                app.posts("/auth/refresh", {"refresh_token": f"rt_{each}"}).status_code
                for each in range(45)
            ]
        assert statuses == [401] * 40 + [429] * 5

    def test_count_a_home_of_ipv6_whole(self, house):
        with house.limited(per_minute=2) as client:
            app = App(client)
            statuses = [
                app.gets("/wallet", environ_overrides={"REMOTE_ADDR": address}).status_code
                for address in (
                    *("2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:3::", "2001:db8:1:3::1"),
                    *("203.0.113.9", "::ffff:203.0.113.9", "::ffff:cb00:7109"),
                )
            ]
        assert statuses == [401, 401, 429, 401, 401, 401, 429]

    def test_count_the_codes_that_a_site_of_ipv6_has_sent(self, house):
        """However many networks it has: the sixty a minute are everybody's."""
        with house.limited(per_minute=30) as client:
            app = App(client)

            def asks(address, number):
                there = {"REMOTE_ADDR": address}
                body = {"phone": f"07129900{number:02}"}
                return app.posts("/auth/otp", body, environ_overrides=there).status_code

            site = [asks(f"2001:db8:1:{each}::1", each) for each in range(12)]
            assert site == [202] * 10 + [429] * 2
            assert asks("2001:db8:2::1", 20) == 202
            assert [asks("203.0.113.9", 30 + each) for each in range(12)] == [202] * 12

    @pytest.mark.parametrize("path", ["/auth/otp", "/transfers", "/reversals"])
    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            (b"null", "application/json", 400),
            (b"[" * 9, "application/json", 400),
            (b"{}", "text/plain", 415),
            (b"x" * 70_000, "application/json", 413),
        ],
    )
    def test_count_bodies_that_nobody_reads(self, house, path, body, content_type, status):
        with house.limited(per_minute=30) as client:
            app = App(client)
            how = {"data": body, "content_type": content_type}
            statuses = [app.asks("POST", path, **how).status_code for _time in range(45)]
        assert statuses == [status] * 30 + [429] * 15

    def test_count_who_is_not_let_in_on_every_route(self, house):
        with house.limited(per_minute=30) as client:
            app = App(client)
            for method, path in (("GET", "/wallet"), ("GET", "/people/1"), ("POST", "/transfers")):
                statuses = [app.asks(method, path).status_code for _time in range(45)]
                assert statuses[-15:] == [429] * 15, path
                assert 401 in statuses

    def test_count_on_when_redis_is_away(self, house):
        """By each process, and never with a 500."""
        nowhere = connect("redis://127.0.0.1:9/0")
        limiter = limits.limiter(nowhere, per_minute=2)
        with house.limited(per_minute=2, limiter=limiter) as client:
            app = App(client)
            assert [app.gets("/exchange/rates").status_code for _ in range(3)] == [200, 200, 429]


class TestWhenThingsFail:
    def test_a_fault_of_ours_is_told_without_a_word_of_it(self, house, wanjiru_s, capfd):
        with mock.patch("core.holdings.held", side_effect=ZeroDivisionError("secret words")):
            wanjiru_s.gets("/wallet")
        wanjiru_s.is_refused(500, "unexpected")
        assert b"secret" not in wanjiru_s.answer.data
        out, err = capfd.readouterr()
        assert "api.failed" in out + err

    def test_without_the_database_it_may_be_repeated(self, house):
        house.bank.run("ALTER TABLE rates RENAME TO lost_rates")
        try:
            app = App(house.app.test_client())
            app.gets("/exchange/rates")
        finally:
            house.bank.run("ALTER TABLE lost_rates RENAME TO rates")
        app.is_refused(503, "not-now")
        assert app.answer.headers["Retry-After"]
