"""
What an organisation does with Daraja, with `requests` and the documentation alone; and its ears.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from flask import Flask, Response, request
from standin import until

KEY, SECRET = "sandbox-consumer-key", "sandbox-consumer-secret"
SHORTCODE, PAYER = "174379", "600992"
PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
INITIATOR, PASSWORD = "testapi", "Safaricom999!*!"
MSISDN = "254708374149"


@dataclass
class Heard:
    path: str
    raw: bytes
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def result(self) -> Any:
        return self.body["Result"]

    @property
    def stk(self) -> Any:
        return self.body["Body"]["stkCallback"]

    @property
    def items(self) -> dict[str, Any]:
        return {each["Name"]: each.get("Value") for each in self.stk["CallbackMetadata"]["Item"]}

    @property
    def parameters(self) -> dict[str, Any]:
        pairs = self.result["ResultParameters"]["ResultParameter"]
        return {each["Key"]: each.get("Value") for each in pairs}


@dataclass
class Ears:
    """A server that hears callbacks; its answers can be told."""

    heard: list[Heard] = field(default_factory=list)
    answer: Callable[[str], Response | dict | tuple] | None = None
    arrived: threading.Event = field(default_factory=threading.Event)

    def app(self) -> Flask:
        app = Flask("ears")

        @app.post("/<path:path>")
        def hear(path: str):
            self.heard.append(Heard(path, request.get_data(), dict(request.headers)))
            if self.answer is not None:
                return self.answer(path)
            return {"ResultCode": 0, "ResultDesc": "Accepted"}

        return app

    def at(self, path: str, count: int = 1) -> list[Heard]:
        """Wait until so many came to a path, and give them."""
        return until(lambda: len(found := self.now(path)) >= count and found)

    def one(self, path: str) -> Heard:
        return self.at(path)[0]

    def now(self, path: str) -> list[Heard]:
        return [each for each in list(self.heard) if each.path == path]


@dataclass
class Merchant:
    url: str
    ears_url: str
    ears: Ears
    token: str = ""

    # the API

    def login(self, key: str = KEY, secret: str = SECRET, **params: str) -> requests.Response:
        return requests.get(
            f"{self.url}/daraja/oauth/v1/generate",
            params={"grant_type": "client_credentials", **params},
            auth=(key, secret),
            timeout=5,
        )

    def post(self, path: str, body: object, *, token: str | None = None, timeout: float = 5):
        if token is None and not self.token:
            self.token = self.login().json()["access_token"]
        return requests.post(
            f"{self.url}/daraja{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token if token is None else token}"},
            timeout=timeout,
        )

    def password(self, shortcode: str = SHORTCODE) -> dict[str, object]:
        stamp = (datetime.now(UTC) + timedelta(hours=3)).strftime("%Y%m%d%H%M%S")
        words = base64.b64encode(f"{shortcode}{PASSKEY}{stamp}".encode()).decode()
        return {"BusinessShortCode": shortcode, "Timestamp": stamp, "Password": words}

    def stk_body(self, *, msisdn: str = MSISDN, amount: object = 100, path: str = "stk", **more):
        return {
            **self.password(),
            "TransactionType": "CustomerPayBillOnline",
            "Amount": amount,
            "PartyA": msisdn,
            "PartyB": SHORTCODE,
            "PhoneNumber": msisdn,
            "CallBackURL": f"{self.ears_url}/{path}",
            "AccountReference": "D0001",
            "TransactionDesc": "Deposit",
            **more,
        }

    def stk(self, **more) -> requests.Response:
        return self.post("/mpesa/stkpush/v1/processrequest", self.stk_body(**more))

    def pushed(self, **more) -> str:
        """Push, and give the id of the prompt."""
        answer = self.stk(**more)
        assert answer.status_code == 200, answer.text
        return answer.json()["CheckoutRequestID"]

    def query(self, checkout: str) -> requests.Response:
        body = {**self.password(), "CheckoutRequestID": checkout}
        return self.post("/mpesa/stkpushquery/v1/query", body)

    def credential(self, password: str = PASSWORD) -> str:
        pem = requests.get(f"{self.url}/daraja/control/certificate", timeout=5).content
        key = x509.load_pem_x509_certificate(pem).public_key()
        return base64.b64encode(key.encrypt(password.encode(), padding.PKCS1v15())).decode()

    def asking(self, path: str, **more) -> dict[str, object]:
        """The fields that every request with a result has."""
        return {
            "Initiator": INITIATOR,
            "SecurityCredential": self.credential(),
            "Remarks": "OK",
            "ResultURL": f"{self.ears_url}/{path}",
            "QueueTimeOutURL": f"{self.ears_url}/{path}/late",
            **more,
        }

    def b2c_body(self, originator: str, *, msisdn=MSISDN, amount="10", path="b2c", **more):
        return {
            "OriginatorConversationID": originator,
            "InitiatorName": INITIATOR,
            "SecurityCredential": self.credential(),
            "CommandID": "BusinessPayment",
            "Amount": amount,
            "PartyA": PAYER,
            "PartyB": msisdn,
            "Remarks": "remarked",
            "QueueTimeOutURL": f"{self.ears_url}/{path}/late",
            "ResultURL": f"{self.ears_url}/{path}",
            "Occassion": "Pay",
            **more,
        }

    def b2c(self, originator: str, **more) -> requests.Response:
        return self.post("/mpesa/b2c/v3/paymentrequest", self.b2c_body(originator, **more))

    # the phones, and the doors for tests

    def answer(self, checkout: str, **said) -> dict[str, str]:
        reply = requests.post(f"{self.url}/daraja/prompts/{checkout}", json=said, timeout=5)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def prompts(self, to: str | None = None) -> list[dict[str, str]]:
        params = None if to is None else {"to": to}
        return requests.get(f"{self.url}/daraja/prompts", params=params, timeout=5).json()

    def control(self, method: str, path: str, body: object = None, **params) -> Any:
        reply = requests.request(
            method, f"{self.url}/daraja/control/{path}", json=body, params=params, timeout=5
        )
        assert reply.ok, reply.text
        return reply.json() if reply.content and "json" in reply.headers["Content-Type"] else reply

    def spoil(self, **script) -> None:
        self.control("POST", "faults", script)

    def terms(self, **changes) -> None:
        self.control("PUT", "terms", changes)

    def phone(self, msisdn: str = MSISDN, **changes) -> dict[str, Any]:
        return self.control("PUT" if changes else "GET", f"phones/{msisdn}", changes or None)

    def utility(self, shortcode: str = SHORTCODE) -> str:
        return self.control("GET", f"accounts/{shortcode}")["Utility Account"]

    def book(self) -> list[dict[str, Any]]:
        return self.control("GET", "transactions")

    def settled(self, originator: str) -> dict[str, Any]:
        """Wait until a payout is over, and give what the book says of it."""
        return until(
            lambda: next(
                (e for e in self.book() if e["originator"] == originator and e["code"]), None
            )
        )


def is_receipt(said: str) -> bool:
    return re.fullmatch(r"[A-Z]{2}[0-9A-V][0-9A-Z]{7}", said) is not None


def refused(answer: requests.Response) -> tuple[int, str, str]:
    said = answer.json()
    assert set(said) == {"requestId", "errorCode", "errorMessage"}
    return answer.status_code, said["errorCode"], said["errorMessage"]
