"""Everybody who may call, as they show who they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app import App
from colleague import logged_in

from core.access.principals import OF_PEOPLE, OF_SERVICES, OF_STAFF

WANJIRU, OTIENO, SHOP = "+254712000001", "+254733000002", "+254722000009"


def _person(house: Any, msisdn: str, name: str) -> App:
    house.register(msisdn, name=name, balance="100")
    return App(house.app.test_client(), house.logged_in(msisdn))


def _merchant(house: Any) -> App:
    house.register(SHOP, name="Duka", balance="100")
    house.opens_till(SHOP)
    return App(house.app.test_client(), house.logged_in(SHOP))


def _staff(house: Any) -> App:
    """Whoever works here, logged in by both factors."""
    return logged_in(house, "kamau")


def _key(permission: str) -> Callable[[Any], App]:
    def made(house: Any) -> App:
        house.register(WANJIRU, name="Wanjiru", balance="100")
        return App(house.app.test_client(), house.key_of(WANJIRU, {permission}))

    return made


CALLERS: dict[str, Callable[[Any], App]] = {
    "anonymous": lambda house: App(house.app.test_client()),
    "nonsense": lambda house: App(house.app.test_client(), "no.such.token"),
    "person": lambda house: _person(house, WANJIRU, "Wanjiru"),
    "other person": lambda house: _person(house, OTIENO, "Otieno"),
    "merchant": _merchant,
    **{f"key to {each.value}": _key(each) for each in sorted(OF_SERVICES)},
    "staff": _staff,
}


def may(caller: str, needed: str) -> int:
    """0 where a caller gets past the door; otherwise the status they are stopped with."""
    if caller in ("anonymous", "nonsense"):
        return 401
    if caller == "staff":
        permitted = {each.value for each in OF_STAFF}
    elif caller.startswith("key to "):
        permitted = {caller.removeprefix("key to ")}
    else:
        permitted = {each.value for each in OF_PEOPLE}
    return 0 if needed in permitted else 403
