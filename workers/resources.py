"""
What jobs work with. RQ calls a job by its name and nothing else, so this is where it finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from core.at_rest import Chest
from core.db import Databases, transact
from core.money import Money
from core.otp_codes import OtpKey
from core.rails import Provider
from core.rates import RateSource
from core.seal import Anchor
from core.sms_orders import Bounds
from workers.bell import Bell
from workers.caller import Caller
from workers.daraja.line import Line
from workers.oidc import Issuer
from workers.pace import Pace
from workers.rails import PaymentRail
from workers.ringing import Job
from workers.sms import SmsSender

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Resources:
    """Opened once per process by whoever starts it."""

    databases: Databases
    clock: Callable[[], datetime]
    bell: Bell
    sender: SmsSender
    rates: RateSource | None
    anchor: Anchor
    pace: Pace
    credit_least: Money
    otp_key: OtpKey
    by_sms: Bounds
    chest: Chest
    webhooks: Caller
    mpesa: Line | None = None
    issuer: Issuer | None = None
    heard: Callable[[Job], None] = lambda _: None
    rails: Mapping[Provider, PaymentRail] = field(default_factory=dict)

    def do_with_money(self, work: Callable[[Session], R]) -> R | None:
        """
        Do in one transaction what moves money, or is about to have a provider move it.

        None, and nothing is done, where the log's tail is lost: an old copy was restored, and it
        may have been done already. Whatever it is stays due, and is rung for again.
        """

        def guarded(session: Session) -> R | None:
            return work(session) if self.anchor.holds(session) else None

        return transact(self.databases, guarded)


_installed: list[Resources] = []


def install(resources: Resources) -> None:
    """Give this process's jobs what they work with."""
    _installed[:] = [resources]


def current() -> Resources:
    """What this process's jobs work with."""
    assert _installed, "the process that runs jobs must install its resources first"
    return _installed[0]
