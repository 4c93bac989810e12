"""
An app on somebody's smartphone, or a program with a key: what calls the doors for programs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from bank import PIN

V1 = "/api/v1"


@dataclass
class Smartphone:
    """Calls as whoever `token` says; at first that is nobody."""

    house: Any
    msisdn: str = "+254712000001"
    device: str = "Pixel 8"
    token: str = ""
    refresh_token: str = ""
    address: str = "203.0.113.7"
    app: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **query: str):
        return self.call("GET", path, query_string=query)

    def post(self, path: str, headers: dict[str, str] | None = None, **body: Any):
        return self.call("POST", path, json=body, headers=headers)

    def delete(self, path: str):
        return self.call("DELETE", path)

    def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **how: Any):
        told = dict(self.headers)
        if self.token:
            told["Authorization"] = f"Bearer {self.token}"
        return (
            (self.app or self.house.app)
            .test_client()
            .open(
                V1 + path,
                method=method,
                headers=told | (headers or {}),
                environ_base={"REMOTE_ADDR": self.address},
                **how,
            )
        )

    def ticket(self) -> str:
        """Ask for a code, read it on the phone, and type it."""
        assert self.post("/auth/otp", phone=self.msisdn).status_code == 202
        answer = self.post("/auth/otp/verify", phone=self.msisdn, code=self.code())
        assert answer.status_code == 200, answer.json
        return answer.json["ticket"]

    def code(self) -> str:
        """The code that came by SMS last."""
        texts = [each["message"] for each in self.house.messages(self.msisdn)]
        return re.findall(r"\b[0-9]{6}\b", " ".join(texts))[-1]

    def heard(self, text: str) -> bool:
        """Whether the phone was sent this by SMS."""
        return text in [each["message"] for each in self.house.messages(self.msisdn)]

    def signs_up(self, name: str, pin: str = PIN) -> Smartphone:
        answer = self.post(
            "/auth/register",
            ticket=self.ticket(),
            name=name,
            pin=pin,
            device=self.device,
            terms="2026-11",
        )
        return self.keeps(answer, 201)

    def logs_in(self, pin: str = PIN, **more: Any) -> Smartphone:
        answer = self.post("/auth/login", ticket=self.ticket(), pin=pin, device=self.device, **more)
        return self.keeps(answer, 200)

    def refreshes(self) -> Smartphone:
        return self.keeps(self.post("/auth/refresh", refresh_token=self.refresh_token), 200)

    def keeps(self, answer, status: int) -> Smartphone:
        """Keep the tokens of an answer."""
        assert answer.status_code == status, answer.json
        self.token, self.refresh_token = answer.json["access_token"], answer.json["refresh_token"]
        return self

    def is_in(self) -> bool:
        """Whether it is known: to who looks, and to who would do something."""
        looks, does = self.get("/me").status_code, self.delete("/devices/dev_0").status_code
        assert (looks, does) in ((200, 404), (401, 401)), (looks, does)
        return looks == 200


def refused(answer, status: int, code: str) -> dict[str, Any]:
    """See that an answer is a problem, and which."""
    assert answer.mimetype == "application/problem+json", answer.text
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json
    return answer.json
