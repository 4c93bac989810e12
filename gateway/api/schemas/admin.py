"""What staff see and decide."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, StringConstraints

from core.audit import Action
from core.rails import Provider
from core.staff_acts import ActState, What
from core.subscribers import Tier
from gateway.api.schemas import SEEN, Sent, Told, Words
from gateway.api.schemas.access import Digits, Phone, Shown
from gateway.api.schemas.money import Sum
from gateway.api.schemas.orders import Reference

Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,24}$")]
Limit = Annotated[int, Field(strict=False, ge=1, le=100)]
CaseNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]


class StaffLoggingIn(Sent):
    """Both factors of somebody who works here."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=SEEN)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=200)]
    totp: Digits


class StaffRefreshing(Sent):
    """The refresh token that was told last."""

    refresh_token: Shown


class StaffTokens(Told):
    """What staff call with, and what they get the next by until the log-in ends."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - its name in RFC 6750
    expires_in: int = Field(description="Seconds.")
    refresh_token: str
    ends_at: datetime = Field(description="When the log-in ends, whatever happens.")


class StaffTold(Told):
    """Who calls."""

    name: str


class Noted(Sent):
    """A decision, and why: the note is kept for ever."""

    note: Words


class TierSet(Noted):
    """A tier. In the course of a case its subject is not told."""

    tier: Literal["pending", "verified", "rejected"]
    case: CaseNumber | None = None


class Suspended(Noted):
    """A suspension. In the course of a case its subject is not told."""

    case: CaseNumber | None = None


class LiftProposed(Noted):
    """The tier that somebody who is suspended should have; another decides."""

    tier: Literal["pending", "verified", "rejected"]


class ReversalAsked(Noted):
    """A transfer that should come back; another decides."""

    number: Phone
    reference: Reference


class SuspenseCredited(Noted):
    """Whose the money is: by phone number or wallet number."""

    number: Phone


class PayoutDecided(Noted):
    """Whether a payout reached its payee."""

    paid: bool


class ActTold(Told):
    """What was asked for, and what came of it."""

    act: int
    what: What
    state: ActState
    made: int | None = Field(description="The number of what came of it: a lift's, a reversal's.")
    report: dict[str, Any] | None = Field(description="Of a case, where one was asked for.")


class HeldTold(Told):
    """What people have with us in one currency."""

    people: int
    money: Sum


class FloatTold(Told):
    """What a provider said last that we have there."""

    pot: str
    available: Sum
    told_at: datetime


class BacklogTold(Told):
    """How old the oldest is that nobody has done, in seconds."""

    orders: float
    outbox: float
    inbox: float


class FiguresTold(Told):
    """How the house stands at this moment."""

    people: int
    logged_in: int = Field(description="On how many devices somebody is.")
    held: list[HeldTold]
    orders: dict[str, int] = Field(description="Today's, by state.")
    backlog: BacklogTold
    open_breaks: dict[str, int] = Field(description="What does not agree, by kind.")
    open_cases: int
    open_suspense: int
    reversals: int = Field(description="How many wait for a decision.")
    float: list[FloatTold]


class PersonTold(Told):
    """Somebody, as staff see them."""

    name: str
    phone: str
    wallet_number: str
    language: str
    kind: str
    tier: Tier
    screening: str
    registered_at: datetime
    balances: list[Sum]
    held: list[Sum]
    open_lift: int | None
    devices: int = Field(description="On how many they are logged in.")


class LiftTold(Told):
    """A proposal to lift a suspension."""

    lift: int
    phone: str
    tier: Tier
    proposed_by: str
    proposed_at: datetime
    reason: str


class LiftsTold(Told):
    """What nobody has decided about, the oldest first."""

    lifts: list[LiftTold]


class Paged(Sent):
    """Which page."""

    limit: Limit = 50
    cursor: Cursor | None = Field(default=None, description="`next` of the page before.")


class CasesWanted(Paged):
    """Which cases."""

    state: Literal["open", "closed"] = "open"


class CaseTold(Told):
    """A case."""

    case: int
    kind: str
    phone: str
    state: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    note: str | None


class CasesTold(Told):
    """Cases, the newest first."""

    cases: list[CaseTold]
    next: str | None


class FactTold(Told):
    """One thing a case rests on, or that staff said of it."""

    at: datetime
    kind: str
    by: str
    evidence: dict[str, Any]


class CaseWhole(CaseTold):
    """A case with all it rests on."""

    facts: list[FactTold]


class RecordsWanted(Paged):
    """Which lines of the audit log."""

    actor: Annotated[str, StringConstraints(max_length=60, pattern=SEEN)] | None = None
    subject: Annotated[str, StringConstraints(max_length=60, pattern=SEEN)] | None = None
    action: Annotated[Action | None, Field(strict=False)] = None


class RecordTold(Told):
    """One line of the audit log."""

    number: int
    at: datetime
    actor: str
    origin: str
    request: str
    action: str
    subject: str
    detail: dict[str, Any]


class RecordsTold(Told):
    """Lines of the audit log, the newest first."""

    records: list[RecordTold]
    next: str | None


class ReversalTold(Told):
    """A reversal that waits for a decision."""

    reversal: int
    reference: str
    amount: Sum
    sender: str
    recipient: str
    requested_by: str
    requested_at: datetime
    reason: str


class ReversalsTold(Told):
    """What nobody has decided about, the oldest first."""

    reversals: list[ReversalTold]
    next: str | None


class BreakerTold(Told):
    """What stops payouts."""

    opened_at: datetime
    until: datetime | None = Field(description="Null: until staff close it.")
    code: str
    why: str


class RowTold(Told):
    """A deposit or a withdrawal that has not ended."""

    what: Literal["deposit", "withdrawal"]
    reference: str
    state: str
    amount: Sum
    number: str
    at: datetime
    receipt: str
    code: str


class RailTold(Told):
    """What is under way over a rail, and whether payouts go out."""

    provider: Provider
    breaker: BreakerTold | None
    rows: list[RowTold]


class SuspenseTold(Told):
    """Money that nobody can place, or what contradicts itself."""

    case: int
    kind: str
    subject: str
    provider: str
    amount: Sum
    receipt: str | None
    state: str
    opened_at: datetime
    outcome: str | None
    closed_by: str | None
    note: str | None


class SuspenseWhole(SuspenseTold):
    """The same with all that was told of it."""

    evidence: list[dict[str, Any]]


class SuspensesTold(Told):
    """What staff must look at, the oldest first."""

    cases: list[SuspenseTold]
    next: str | None
