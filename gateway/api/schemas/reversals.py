"""Money that is asked back."""

from __future__ import annotations

from pydantic import Field

from core.reversals import ReversalState
from gateway.api.schemas import Told, Words
from gateway.api.schemas.orders import Line, PinGiven, Reference


class AskBack(PinGiven):
    """Which transfer or payment should come back, and why."""

    reference: Reference = Field(examples=["TQ7X2M4K9A"])
    reason: Words = Field(examples=["Wrong number"])


class Eligible(Told):
    """The newest movements that may be asked back, newest first."""

    lines: list[Line]


class AskedBack(Told):
    """A reversal that was asked for; staff decide."""

    reference: str
    state: ReversalState


class AskedBacks(Told):
    """What was asked back, of the newest movements."""

    reversals: list[AskedBack]
