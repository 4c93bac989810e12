"""
Both rails as their fakes have them: one contract, tested twice.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import requests

from core.money import Currency, Money
from core.payees import Payee
from core.rails import Provider
from gateway import rails as doors
from sandbox.product import FLUTTERWAVE_HASH, FLUTTERWAVE_KEY, PAYSTACK_KEY
from sandbox.rails.webhooks import Pace
from workers.flutterwave.client import Flutterwave
from workers.paystack.client import Paystack
from workers.rails import PaymentRail
from workers.transport import Timeouts

SLOW = Pace(news_after=3600, transfer_after=3600)
"""Nothing happens by itself: tests say what does, and carry webhooks to the door themselves."""

BANK = Payee.of_bank(bank="058", account="0123456789", name="Ngozi Eze")
PHONE = Payee.of_phone(msisdn="+254712000001", name="Wanjiru Kamau")
NAMES = ("paystack", "flutterwave")
BACK = "https://kabambe.example/back"


SIGNED = {
    "paystack": doors.paystack(PAYSTACK_KEY),
    "flutterwave": doors.flutterwave(FLUTTERWAVE_HASH, "v3-literal"),
}
"""By what our doors know the webhooks of both."""


OFFERED = {
    Provider.MPESA: frozenset({Currency.KES}),
    Provider.PAYSTACK: frozenset({Currency.NGN, Currency.KES}),
    Provider.FLUTTERWAVE: frozenset({Currency.NGN}),
}


def ngn(minor: int) -> Money:
    return Money(minor, Currency.NGN)


@dataclass
class Fake:
    """One fake rail, by its control doors."""

    name: str
    url: str

    def tell(self, method: str, path: str, **body: object) -> requests.Response:
        url = f"{self.url}/{self.name}/control/{path}"
        answer = requests.request(method, url, json=body or None, timeout=5)
        answer.raise_for_status()
        return answer

    def fault(self, **script: object) -> None:
        self.tell("POST", "faults", **script)

    def person(self, outcome: str, reference: str) -> None:
        """Let the person at the page pay, or fail to, or be refunded."""
        self.tell("POST", f"charges/{reference}", outcome=outcome)

    def bank(self, outcome: str, reference: str) -> None:
        """Let a transfer arrive, fail, or come back."""
        self.tell("POST", f"transfers/{reference}", outcome=outcome)

    def balance(self, **minor: int) -> None:
        self.tell("PUT", "balances", **minor)

    def book(self) -> dict[str, list[dict[str, object]]]:
        return self.tell("GET", "book").json()

    def webhooks(self) -> list[dict[str, object]]:
        return self.tell("GET", "webhooks").json()

    def webhook(self, number: int = -1) -> tuple[bytes, dict[str, str]]:
        """One that it made, as it travels: its body and headers."""
        made = self.webhooks()[number]
        return str(made["body"]).encode(), dict(made["headers"])

    def reset(self) -> None:
        self.tell("DELETE", "faults")
        self.tell("DELETE", "book")


def client(name: str, country_url: str, *, seconds: float = 5) -> PaymentRail:
    timeouts = Timeouts(connect_seconds=1, read_seconds=seconds)
    if name == "paystack":
        return Paystack(
            secret_key=PAYSTACK_KEY,
            url=f"{country_url}/paystack",
            email="payments@kabambe.example",
            return_url=BACK,
            timeouts=timeouts,
        )
    return Flutterwave(
        secret_key=FLUTTERWAVE_KEY,
        url=f"{country_url}/flutterwave/v3",
        email="payments@kabambe.example",
        return_url=BACK,
        timeouts=timeouts,
    )


def rail_clients(country_url: str, stack: ExitStack) -> dict[Provider, PaymentRail]:
    """Both rails, whose clients do not wait as long as they do in production."""
    made = {Provider(name): client(name, country_url, seconds=1) for name in NAMES}
    for rail in made.values():
        stack.callback(rail.close)
    return made
