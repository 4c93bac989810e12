"""Somebody who works here: what they know, and what their authenticator shows."""

from __future__ import annotations

from typing import Any

import pyotp
from app import App

PASSWORD = "correct horse battery"


class Authenticator:
    """The program on another device that makes the codes."""

    def __init__(self, house: Any, secret: str) -> None:
        self.house, self.totp = house, pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        return self.totp.generate_otp(int(self.house.clock().timestamp()) // 30 + steps)

    def wrong(self) -> str:
        right = {self.code(steps) for steps in range(-2, 3)}
        return next(f"{n:06}" for n in range(9) if f"{n:06}" not in right)


class Colleague(App):
    """A member of staff at a browser."""

    def __init__(self, house: Any, name: str) -> None:
        super().__init__(house.app.test_client())
        self.house, self.name = house, name
        self.authenticator = Authenticator(house, house.hires(name, PASSWORD))
        self.refresh_token = ""

    def shows(self, **other: str) -> Any:
        shown = {"name": self.name, "password": PASSWORD, "totp": self.authenticator.code()}
        return self.posts("/admin/login", shown | other, key=None)

    def logs_in(self) -> Colleague:
        return self.keeps(self.shows())

    def keeps(self, answer: Any) -> Colleague:
        assert answer.status_code == 200, answer.json
        self.bearer, self.refresh_token = answer.json["access_token"], answer.json["refresh_token"]
        return self

    def refreshes(self) -> Any:
        return self.posts("/admin/refresh", {"refresh_token": self.refresh_token}, key=None)

    def decides(self, path: str, **what: Any) -> Any:
        """Decide something, and see it done."""
        answer = self.posts(f"/admin{path}", what)
        assert answer.status_code == 201, answer.json
        assert answer.json["state"] == "done"
        return answer.json


def logged_in(house: Any, name: str) -> Colleague:
    """Somebody who works here, logged in a minute ago."""
    made = Colleague(house, name).logs_in()
    house.clock.passes(minutes=1)
    return made
