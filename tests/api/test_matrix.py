"""
Every route, asked by everybody: who gets what. Made from the description: none is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from app import App, kes
from bank import OPENER
from callers import CALLERS, may
from house_under_test import unconnected

from core import merchants, subscribers

SEND = {"to": "0711000003", "amount": kes("10.00"), "pin": "4071"}

# What stands for a path's parameter where anything would do.
ANYTHING = {
    "number": "0",
    "seal": "0" * 16,
    **dict.fromkeys(("act", "lift", "case", "reversal"), "1"),
    "provider": "mpesa",
}


# Whoever has been here is nobody afterwards.
ENDS = {"/api/v1/auth/logout", "/api/v1/admin/logout"}


def operations(folder):
    for path, found in unconnected(folder).spec["paths"].items():
        for method, operation in found.items():
            yield path, method.upper(), operation


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    found = operations(tmp_path_factory.mktemp("log"))
    return list(found)


def filled(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: ANYTHING.get(found[1], "T000000000"), path)


@pytest.mark.parametrize("caller", CALLERS)
def test_whoever_calls_gets_past_the_door_only_where_they_may(house, described, caller):
    """Nothing is asked for in earnest: behind the door is a 404, 422 or an empty list."""
    app = CALLERS[caller](house)
    wrong = []
    ends = lambda each: each[0] in ENDS and not may(caller, each[2]["x-needs"])  # noqa: E731
    for path, method, operation in sorted(described, key=ends):
        words = {"json": {}} if method in {"POST", "PUT", "PATCH"} else {}
        answer = app.asks(method, filled(path), **words)
        code = answer.json["code"] if answer.status_code >= 400 else ""
        stopped = {"not-known": 401, "not-permitted": 403}.get(code, 0)
        needed = operation.get("x-needs")
        expected = 0 if needed is None else may(caller, needed)
        if stopped != expected:
            wrong.append((method, path, needed, answer.status_code, code))
        assert answer.status_code < 500, (method, path, answer.data)
    assert not wrong


# What is sent where a merchant alone has something to be asked for.
OF_SHOPS: dict[tuple[str, str], Any] = {
    ("GET", "/api/v1/merchants/me"): None,
    ("PATCH", "/api/v1/merchants/me"): {"settled_daily": False},
    ("GET", "/api/v1/merchants/me/payments"): None,
    ("POST", "/api/v1/merchants/me/settlements"): {"pin": "4071"},
    ("POST", "/api/v1/merchants/me/settlements/quote"): {},
    ("POST", "/api/v1/payment-links"): {"amount": kes("10.00")},
    ("POST", "/api/v1/refunds"): {"payment": "PQ7X2M4K9A", "pin": "4071"},
}


def test_what_is_a_merchants_is_theirs_alone(house, described):
    """A person without a till is told that they have none; a merchant is not."""
    person, merchant = CALLERS["person"](house), CALLERS["merchant"](house)
    asked = {
        (method, path)
        for path, method, operation in described
        if any("`no-till`" in each["description"] for each in operation["responses"].values())
    }
    assert asked == set(OF_SHOPS)
    for number, ((method, path), body) in enumerate(OF_SHOPS.items()):
        words: dict[str, Any] = {} if body is None else {"json": body}
        words["headers"] = {"Idempotency-Key": "matrix-of-shops"}
        assert person.asks(method, path, **words).json.get("code") == "no-till", (method, path)
        words["headers"] = {"Idempotency-Key": f"matrix-of-shop-{number}"}
        answer = merchant.asks(method, path, **words)
        assert answer.json.get("code") not in ("no-till", "not-permitted", "invalid-request")
        assert answer.status_code < 500, (method, path, answer.data)


def test_what_is_one_persons_is_not_anothers(house, described, wanjiru, otieno, amina):
    """There is an example of every route to one thing of somebody's; another is told 404."""
    mine = App(house.app.test_client(), house.logged_in(wanjiru.phone.msisdn))
    theirs = App(house.app.test_client(), house.logged_in(otieno.phone.msisdn))
    routes = {
        path
        for path, _method, operation in described
        if "{" in path and operation.get("x-needs") not in (None, "admin")
    }
    assert routes - NOBODYS == set(THINGS)
    for path, make in THINGS.items():
        for _path, method, operation in (each for each in described if each[0] == path):
            place, body = make(house, mine)
            is_bare = method in {"GET", "DELETE"} and "requestBody" not in operation
            words = {} if is_bare else {"json": body}
            words["headers"] = {"Idempotency-Key": f"{method}-of-another"}
            theirs.asks(method, place, **words)
            assert theirs.answer.status_code == 404, (method, place, theirs.answer.data)
            words["headers"] = {"Idempotency-Key": f"{method}-of-mine"}
            answer = mine.asks(method, place, **words)
            assert answer.status_code not in (401, 403, 404), (method, place, answer.data)


def _order(house: Any, app: App) -> str:
    reference: str = app.posts("/transfers", SEND).json["reference"]
    house.sealer.once()
    return reference


def _key(_house: Any, app: App) -> str:
    wanted = {"name": "till", "permissions": ["read"], "lifetime": "1D", "pin": "4071"}
    made: str = app.posts("/api-keys", wanted).json["id"]
    return made


def _device(_house: Any, app: App) -> str:
    [device] = app.gets("/devices").json["devices"]
    return str(device["id"])


def _webhook(house: Any, app: App) -> str:
    house.bank.run("UPDATE webhook_endpoints SET state = 'removed'")  # there may be five
    made: str = app.posts("/webhooks", {"url": "https://shop.example.com/", "pin": "4071"}).json[
        "id"
    ]
    return f"/webhooks/{made}"


def _delivery(house: Any, app: App) -> str:
    webhook = _webhook(house, app)
    app.posts("/transfers", SEND)
    [told] = app.gets(f"{webhook}/deliveries").json["deliveries"]
    return f"{webhook}/deliveries/{told['id']}"


def _shop(house: Any, app: App) -> Any:
    """Wanjiru has a till, too, and Otieno pays there."""
    with house.databases["worker"].begin() as session:
        for msisdn in ("+254712000001", "+254733000002"):
            who = subscribers.recipient(session, msisdn=msisdn).id
            merchants.open_till(session, subscriber=who, actor=OPENER, now=house.clock())
    return app.gets("/merchants/me").json["till"]


def _payment(house: Any, app: App) -> str:
    till = _shop(house, app)
    payer = App(house.app.test_client(), house.logged_in("+254711000003"))
    paid: str = payer.posts(
        "/payments", {"till": till, "amount": kes("10.00"), "pin": "4071"}
    ).json["reference"]
    return paid


# Whose number it is may be asked by everybody who is somebody; a link is there for whoever has it,
# and who may close it and see its payments is in test_payment_links.py.
NOBODYS = {
    "/api/v1/people/{number}",
    "/api/v1/payment-links/{code}",
    "/api/v1/payment-links/{code}/payments",
}


def _rail(app: App, path: str) -> str:
    wanted = {"method": "mpesa", "amount": kes("10.00")}
    wanted |= {"pin": "4071"} if path == "/withdrawals" else {}
    where: str = app.posts(path, wanted).headers["Location"]
    return where


def _hold(house: Any, app: App) -> str:
    """Money of somebody else's, set aside for the caller's shop: only they may take it."""
    till = house.opens_till("+254712000001")
    payer = App(app.client, house.logged_in("+254711000003"))
    wanted = {"till": till, "amount": kes("10.00"), "pin": "4071"}
    made: str = payer.posts("/holds", wanted).json["reference"]
    return made


THINGS: dict[str, Callable[[Any, App], tuple[str, dict[str, Any]]]] = {
    "/api/v1/orders/{reference}": lambda house, app: (f"/orders/{_order(house, app)}", {}),
    "/api/v1/receipts/{reference}": lambda house, app: (f"/receipts/{_order(house, app)}", {}),
    "/api/v1/receipts/{reference}/proof": lambda house, app: (
        f"/receipts/{_order(house, app)}/proof",
        {},
    ),
    "/api/v1/api-keys/{id}": lambda house, app: (f"/api-keys/{_key(house, app)}", {}),
    "/api/v1/api-keys/{id}/rollover": lambda house, app: (
        f"/api-keys/{_key(house, app)}/rollover",
        {"lifetime": "1D", "pin": "4071"},
    ),
    "/api/v1/webhooks/{id}": lambda house, app: (_webhook(house, app), {"pin": "4071"}),
    "/api/v1/webhooks/{id}/secret": lambda house, app: (
        f"{_webhook(house, app)}/secret",
        {"pin": "4071"},
    ),
    "/api/v1/webhooks/{id}/test": lambda house, app: (f"{_webhook(house, app)}/test", {}),
    "/api/v1/webhooks/{id}/replay": lambda house, app: (
        f"{_webhook(house, app)}/replay",
        {"since": "2026-11-21T00:00:00Z"},
    ),
    "/api/v1/webhooks/{id}/deliveries": lambda house, app: (
        f"{_webhook(house, app)}/deliveries",
        {},
    ),
    "/api/v1/webhooks/{id}/deliveries/{delivery}": lambda house, app: (_delivery(house, app), {}),
    "/api/v1/webhooks/{id}/deliveries/{delivery}/replay": lambda house, app: (
        f"{_delivery(house, app)}/replay",
        {},
    ),
    "/api/v1/merchants/me/payments/{reference}": lambda house, app: (
        f"/merchants/me/payments/{_payment(house, app)}",
        {},
    ),
    "/api/v1/deposits/{reference}": lambda _house, app: (_rail(app, "/deposits"), {}),
    "/api/v1/withdrawals/{reference}": lambda _house, app: (_rail(app, "/withdrawals"), {}),
    "/api/v1/holds/{reference}": lambda house, app: (f"/holds/{_hold(house, app)}", {}),
    "/api/v1/holds/{reference}/capture": lambda house, app: (
        f"/holds/{_hold(house, app)}/capture",
        {},
    ),
    "/api/v1/holds/{reference}/release": lambda house, app: (
        f"/holds/{_hold(house, app)}/release",
        {},
    ),
    "/api/v1/devices/{id}": lambda house, app: (f"/devices/{_device(house, app)}", {}),
}
