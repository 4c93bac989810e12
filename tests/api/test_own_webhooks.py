"""Webhooks by their owner's app: made, changed, looked at, replayed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from app import App
from programs import Programs, pay
from standardwebhooks import Webhook as Verifier

from core.outbox import WEBHOOK_TYPES


@pytest.fixture
def his(house, otieno_s, otieno) -> Programs:
    return Programs(house, otieno)


def add(house, app, **more):
    body = {
        "url": f"{house.country_url}/webhooks/till",
        "description": "till",
        "pin": "4071",
    } | more
    return app.posts("/webhooks", body)


def second(house, app):
    """Have a second factor from now on; return it, and a step whose code is not used yet."""
    step = int(house.clock().timestamp()) // 30
    factor = pyotp.TOTP(app.posts("/totp", {"pin": "4071"}).json["secret"])
    app.posts("/totp/confirm", {"code": factor.generate_otp(step - 1)})
    return factor, step


def test_made_its_secret_is_shown_once_and_signs_what_is_told(house, his, otieno_s, wanjiru):
    house.clock.now = datetime.now(UTC)  # the verifier has a clock of its own
    otieno_s.bearer = house.logged_in("+254733000002")
    made = add(house, otieno_s)
    assert (made.status_code, made.json["state"], made.json["types"]) == (201, "active", [])
    secret = made.json["secret"]
    pay(wanjiru)
    his.call()
    [letter] = his.came()
    assert Verifier(secret).verify(letter["body"], letter["headers"])["type"] == (
        "transfer.received"
    )
    shown = otieno_s.gets(f"/webhooks/{made.json['id']}")
    assert shown.json == {name: made.json[name] for name in made.json if name != "secret"}
    assert otieno_s.gets("/webhooks").json == {"webhooks": [shown.json]}


def test_the_log_says_what_was_answered_page_by_page(house, his, otieno_s, wanjiru):
    webhook = f"/webhooks/{add(house, otieno_s).json['id']}"
    his.fails({"status": 500, "body": "No shelf."})
    for amount in ("50", "60", "70"):
        house.forget_calls(wanjiru.phone.msisdn)
        pay(wanjiru, amount)
    his.call()
    first = otieno_s.gets(f"{webhook}/deliveries?limit=2").json
    rest = otieno_s.gets(f"{webhook}/deliveries?limit=2&cursor={first['next']}").json
    assert ([len(page["deliveries"]) for page in (first, rest)], rest["next"]) == ([2, 1], None)
    [waiting] = otieno_s.gets(f"{webhook}/deliveries?state=waiting").json["deliveries"]
    whole = otieno_s.gets(f"{webhook}/deliveries/{waiting['id']}").json
    [attempt] = whole.pop("tried")
    assert whole == waiting
    assert (attempt["number"], attempt["status"], attempt["answer"]) == (1, 500, "No shelf.")


def test_one_thing_is_told_again_and_everything_since(house, his, otieno_s, wanjiru):
    webhook = f"/webhooks/{add(house, otieno_s).json['id']}"
    pay(wanjiru)
    his.call()
    [delivery] = otieno_s.gets(f"{webhook}/deliveries").json["deliveries"]
    again = otieno_s.posts(f"{webhook}/deliveries/{delivery['id']}/replay")
    assert (again.status_code, again.json["state"]) == (202, "waiting")
    his.call()
    since = {"since": (house.clock() - timedelta(hours=1)).isoformat()}
    assert otieno_s.posts(f"{webhook}/replay", since).json == {"count": 0}
    assert otieno_s.posts(f"{webhook}/replay", since | {"delivered_too": True}).json == {"count": 1}
    his.call()
    assert {each["headers"]["webhook-id"] for each in his.came()} == {delivery["id"]}
    assert len(his.came()) == 3


def test_turned_off_nothing_is_told_or_replayed(house, his, otieno_s, wanjiru):
    webhook = f"/webhooks/{add(house, otieno_s).json['id']}"
    off = otieno_s.asks("PATCH", webhook, json={"active": False, "pin": "4071"}).json
    assert (off["state"], off["disabled_why"]) == ("disabled", "owner")
    pay(wanjiru)
    his.call()
    [missed] = otieno_s.gets(f"{webhook}/deliveries").json["deliveries"]
    assert (missed["state"], his.came()) == ("missed", [])
    otieno_s.posts(f"{webhook}/deliveries/{missed['id']}/replay")
    otieno_s.is_refused(409, "webhook-disabled")
    otieno_s.posts(f"{webhook}/test")
    otieno_s.is_refused(409, "webhook-disabled")
    on = otieno_s.asks("PATCH", webhook, json={"active": True, "pin": "4071"})
    assert on.json["state"] == "active"
    assert otieno_s.posts(f"{webhook}/test").json["type"] == "webhook.test"
    his.call()
    assert [json.loads(each["body"])["type"] for each in his.came()] == ["webhook.test"]


def test_a_new_address_wants_the_pin_and_its_owner_hears_of_it(house, otieno_s):
    url = "https://shop.example.com/kabambe"
    otieno_s.posts("/webhooks", {"url": url})
    otieno_s.is_refused(422, "invalid-request")
    add(house, otieno_s, url=url, pin="9174")
    otieno_s.is_refused(403, "wrong-pin")
    assert otieno_s.gets("/webhooks").json == {"webhooks": []}
    there = f"/webhooks/{add(house, otieno_s, url=url).json['id']}"
    told = [each["message"] for each in house.messages("+254733000002")]
    assert told == [
        (
            "Since 21/11/26 09:30 a program at shop.example.com is told of your Kabambe account."
            " If that was not you, contact us now."
        )
    ]
    otieno_s.asks("PATCH", there, json={"url": "https://other.example.com/"})
    otieno_s.is_refused(422, "invalid-request")
    changed = {"url": url, "description": "the till", "active": True, "types": []}
    assert otieno_s.asks("PATCH", there, json=changed).status_code == 200  # it leads there already
    moved = {"url": "https://other.example.com/", "pin": "4071"}
    assert otieno_s.asks("PATCH", there, json=moved).json["url"] == moved["url"]
    told = [each["message"] for each in house.messages("+254733000002")]
    assert ["other.example.com" in each for each in told] == [False, True]


class TestWhatItIsToldIsForItsOwnerToChange:
    CHANGES = (
        {"active": False},
        {"types": ["voucher.redeemed"]},
        {"types": ["transfer.received"], "description": "quieter"},
    )

    @pytest.mark.parametrize("change", CHANGES)
    def test_it_wants_the_pin(self, house, otieno_s, change):
        there = f"/webhooks/{add(house, otieno_s).json['id']}"
        before = otieno_s.gets(there).json
        otieno_s.asks("PATCH", there, json=change)
        [error] = otieno_s.is_refused(422, "invalid-request")["errors"]
        assert error["field"] == "pin"
        otieno_s.asks("PATCH", there, json=change | {"pin": "9174"})
        otieno_s.is_refused(403, "wrong-pin")
        assert otieno_s.gets(there).json == before
        assert otieno_s.asks("PATCH", there, json=change | {"pin": "4071"}).status_code == 200
        assert otieno_s.gets(there).json != before

    def test_so_does_having_it_told_again(self, house, otieno_s):
        there = f"/webhooks/{add(house, otieno_s).json['id']}"
        otieno_s.asks("PATCH", there, json={"active": False, "pin": "4071"})
        otieno_s.asks("PATCH", there, json={"active": True})
        otieno_s.is_refused(422, "invalid-request")
        assert otieno_s.asks("PATCH", there, json={"active": False}).json["state"] == "disabled"

    def test_it_wants_the_second_factor_where_there_is_one(self, house, otieno_s):
        there = f"/webhooks/{add(house, otieno_s).json['id']}"
        factor, step = second(house, otieno_s)
        off = {"active": False, "pin": "4071"}
        otieno_s.asks("PATCH", there, json=off)
        otieno_s.is_refused(403, "second-factor-needed")
        assert otieno_s.gets(there).json["state"] == "active"
        off["totp"] = factor.generate_otp(step)
        assert otieno_s.asks("PATCH", there, json=off).json["state"] == "disabled"


def test_a_new_address_wants_the_second_factor_where_there_is_one(house, otieno_s):
    there = f"/webhooks/{add(house, otieno_s).json['id']}"
    factor, step = second(house, otieno_s)
    add(house, otieno_s)
    otieno_s.is_refused(403, "second-factor-needed")
    code = factor.generate_otp(step)
    add(house, otieno_s, url="https://10.0.0.1/", totp=code)
    otieno_s.is_refused(422, "invalid-webhook")
    add(house, otieno_s, totp=code)
    otieno_s.is_refused(403, "second-factor-wrong")  # it was used
    moved = {"url": "https://other.example.com/", "pin": "4071"}
    otieno_s.asks("PATCH", there, json=moved)
    otieno_s.is_refused(403, "second-factor-needed")
    moved["totp"] = factor.generate_otp(step + 1)
    assert otieno_s.asks("PATCH", there, json=moved).status_code == 200


def test_no_key_has_us_call_anybody(house, his, otieno_s, wanjiru):
    there = f"/webhooks/{add(house, otieno_s).json['id']}"
    pay(wanjiru)
    [delivery] = otieno_s.gets(f"{there}/deliveries").json["deliveries"]
    program = App(house.app.test_client(), house.key_of("+254733000002", {"read"}))
    for path in ("/test", "/replay", f"/deliveries/{delivery['id']}/replay"):
        program.posts(f"{there}{path}", {"since": house.clock().isoformat()})
        program.is_refused(403, "not-permitted")
    assert program.gets(f"{there}/deliveries").status_code == 200


def test_few_calls_a_minute_are_asked_for(house, otieno_s):
    there = f"/webhooks/{add(house, otieno_s).json['id']}"
    with house.limited(per_minute=30) as client:
        app = App(client, otieno_s.bearer)
        for _call in range(10):
            assert app.posts(f"{there}/test").status_code == 202
        app.posts(f"{there}/replay", {"since": house.clock().isoformat()})
        app.is_refused(429, "too-many-requests")


def test_another_secret_is_shown_once_too(house, otieno_s):
    made = add(house, otieno_s).json
    there = f"/webhooks/{made['id']}/secret"
    otieno_s.posts(there, {})
    otieno_s.is_refused(422, "invalid-request")
    otieno_s.posts(there, {"pin": "9174"})
    otieno_s.is_refused(403, "wrong-pin")
    other = otieno_s.posts(there, {"pin": "4071"})
    assert other.status_code == 201
    told = [each["message"] for each in house.messages("+254733000002")]
    assert len(told) == 2, "made, and given another secret"
    assert other.json["secret"] not in (made["secret"], "")
    assert datetime.fromisoformat(other.json["both_sign_until"]) - house.clock() == timedelta(1)


def test_no_third_secret_is_made_while_the_first_still_signs(house, otieno_s):
    there = f"/webhooks/{add(house, otieno_s).json['id']}/secret"
    until = otieno_s.posts(there, {"pin": "4071"}).json["both_sign_until"]
    house.clock.passes(hours=23)
    otieno_s.bearer = house.logged_in("+254733000002")
    otieno_s.posts(there, {"pin": "4071"})
    problem = otieno_s.is_refused(409, "secret-just-rotated")
    assert datetime.fromisoformat(problem["until"]) == datetime.fromisoformat(until)
    house.clock.passes(hours=1)
    otieno_s.bearer = house.logged_in("+254733000002")
    assert otieno_s.posts(there, {"pin": "4071"}).status_code == 201


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com/",
        "https://169.254.169.254/latest/meta-data/",
        "https://metadata.google.internal:80/",
        "https://10.0.0.1/",
        "https://localhost/",
        "https://user:word@shop.example.com/",
        "https://[::ffff:7f00:1]/",
        "file:///etc/passwd",
    ],
)
def test_an_address_in_the_house_is_refused(house, otieno_s, url):
    made = add(house, otieno_s).json
    add(house, otieno_s, url=url)
    otieno_s.is_refused(422, "invalid-webhook")
    otieno_s.asks("PATCH", f"/webhooks/{made['id']}", json={"url": url, "pin": "4071"})
    otieno_s.is_refused(422, "invalid-webhook")
    assert otieno_s.gets(f"/webhooks/{made['id']}").json["url"] == made["url"]


def test_a_header_cannot_be_written_into_an_address(house, otieno_s):
    add(house, otieno_s, url="https://shop.example.com/\r\nAuthorization: Bearer x")
    otieno_s.is_refused(422, "invalid-request")


def test_what_is_not_a_type_is_refused(house, otieno_s):
    add(house, otieno_s, types=["otp.issued"])
    otieno_s.is_refused(422, "unknown-event-type")
    assert add(house, otieno_s, types=sorted(WEBHOOK_TYPES.values())).status_code == 201


def test_another_persons_are_not_there_at_all(house, his, otieno_s, wanjiru_s, wanjiru):
    made = add(house, otieno_s).json
    pay(wanjiru)
    [delivery] = otieno_s.gets(f"/webhooks/{made['id']}/deliveries").json["deliveries"]
    there = f"/webhooks/{made['id']}"
    for method, path, body in [
        ("GET", there, None),
        ("PATCH", there, {"active": False}),
        ("DELETE", there, {"pin": "4071"}),
        ("POST", f"{there}/secret", {"pin": "4071"}),
        ("POST", f"{there}/test", {}),
        ("POST", f"{there}/replay", {"since": house.clock().isoformat()}),
        ("GET", f"{there}/deliveries", None),
        ("GET", f"{there}/deliveries/{delivery['id']}", None),
        ("POST", f"{there}/deliveries/{delivery['id']}/replay", {}),
    ]:
        wanjiru_s.asks(method, path, **({} if body is None else {"json": body}))
        wanjiru_s.is_refused(404, "unknown-webhook")
    own = add(house, wanjiru_s).json
    wanjiru_s.gets(f"/webhooks/{own['id']}/deliveries/{delivery['id']}")
    wanjiru_s.is_refused(404, "unknown-delivery")
    assert otieno_s.gets(there).json["state"] == "active"


def test_a_stranger_is_asked_who_they_are(app):
    app.gets("/webhooks")
    app.is_refused(401, "not-known")


def test_removed_it_is_gone(house, otieno_s):
    made = add(house, otieno_s).json
    otieno_s.asks("DELETE", f"/webhooks/{made['id']}", json={"pin": "9174"})
    otieno_s.is_refused(403, "wrong-pin")
    sure = {"pin": "4071"}
    assert otieno_s.asks("DELETE", f"/webhooks/{made['id']}", json=sure).status_code == 204
    otieno_s.gets(f"/webhooks/{made['id']}")
    otieno_s.is_refused(404, "unknown-webhook")
    assert otieno_s.gets("/webhooks").json == {"webhooks": []}


@pytest.mark.parametrize("since", [0, 1_795_000_000, "2026-11-21", "2026-11-21T00:00:00", None])
def test_since_when_is_an_instant_in_letters(house, otieno_s, since):
    made = add(house, otieno_s).json
    otieno_s.posts(f"/webhooks/{made['id']}/replay", {"since": since})
    otieno_s.is_refused(422, "invalid-request")


@pytest.mark.parametrize("body", ["null", " null ", "[]", "0", '""', "false"])
def test_what_is_no_object_is_not_taken_for_one_that_says_nothing(house, otieno_s, body):
    made = add(house, otieno_s).json
    otieno_s.asks("PATCH", f"/webhooks/{made['id']}", data=body, content_type="application/json")
    otieno_s.is_refused(400, "unreadable")
