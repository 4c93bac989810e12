"""
The ways in which Africa's Talking fails, to be scripted for the next sends.

`POST /africastalking/faults` takes one script as JSON: `kind`, `next` (how many sends it spoils,
1 if left out) and what the kind needs. Scripts queue up and are used in order, one per send that
is otherwise in order (authentic, complete). `GET` shows what is left, `DELETE` forgets it.

Before the message is accepted; it reaches nobody:

| kind        | the sender sees                                   | takes                       |
|-------------|---------------------------------------------------|-----------------------------|
| `http`      | this status, a plain text                         | `status` (500), `body`      |
| `html`      | a proxy's HTML page                               | `status` (502), `body`      |
| `reset`     | the connection reset                              |                             |
| `empty`     | 201, a word, no recipients                        | `message` (InvalidSenderId) |
| `recipient` | 201, each recipient with this code                | `code` (500), 100 to 502    |
| `recipients` | 201, these numbers with these codes; some are    | `codes` (number: code),     |
|              | accepted, and not spoken of                      | `left_out` (numbers)        |

The message is accepted and arrives:

| kind           | the sender sees                                | takes                       |
|----------------|------------------------------------------------|-----------------------------|
| `stall`        | the usual answer, late; accepted when answered | `seconds` (12)              |
| `accept-stall` | the usual answer, late; accepted at once       | `seconds` (12)              |
| `accept-reset` | the connection reset                           |                             |
| `accept-http`  | this status, a plain text                      | `status` (500), `body`      |
| `malformed`    | 201 and JSON cut off in the middle             |                             |
| `charset`      | `Content-Type: application/json; charset=utf-8`|                             |

The answer is the usual one, and the delivery report is not:

| kind                  | the report                                       | takes                |
|-----------------------|--------------------------------------------------|----------------------|
| `no-report`           | never comes                                      |                      |
| `report-failed`       | says so; the handset gets no message             | `status`, `reason`   |
| `report-late`         | comes after this long                            | `seconds` (12)       |
| `report-doubled`      | comes twice                                      |                      |
| `report-out-of-order` | says Success, then Submitted, then Sent          |                      |
| `report-unknown`      | carries a status the documentation does not know | `status` (Lingering) |
| `report-first`        | comes before the send is answered                |                      |
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from sandbox.africastalking import wire

_SCRIPTS_MAX = 100

Seconds = Annotated[float, Field(ge=0, le=120)]
HttpStatus = Annotated[int, Field(ge=200, le=599)]
Word = Annotated[str, Field(min_length=1, max_length=100)]
Body = Annotated[str, Field(max_length=4_000)]

_PAGE = "<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Report:
    """
    One delivery report to send.

    Args:
        status: the word it carries.
        after: seconds after the send was accepted; None sends it before the answer.
        reason: its `failureReason`, if any.
    """

    status: str
    after: float | None
    reason: str | None = None


class Fault(BaseModel):
    """One send's misfortune; the base stands for none at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    next: Annotated[int, Field(ge=1, le=10_000)] = 1

    @property
    def arrives(self) -> bool:
        """Whether the message reaches the handset."""
        return True

    def reports(self, usual: float) -> list[Report]:
        """List the delivery reports that follow, `usual` being the usual wait in seconds."""
        return [Report("Success", usual)]


class Http(Fault):
    kind: Literal["http", "accept-http"]
    status: HttpStatus = 500
    body: Body = "The service is currently unavailable"


class Html(Fault):
    kind: Literal["html"]
    status: HttpStatus = 502
    body: Body = _PAGE


class Reset(Fault):
    kind: Literal["reset", "accept-reset"]


class Stall(Fault):
    kind: Literal["stall", "accept-stall"]
    seconds: Seconds = 12


class Empty(Fault):
    kind: Literal["empty"]
    message: Word = "InvalidSenderId"


class PerRecipient(Fault):
    kind: Literal["recipient"]
    code: Literal[tuple(wire.STATUSES)] = 500  # type: ignore[valid-type]  # built from the table


class Recipients(Fault):
    kind: Literal["recipients"]
    codes: dict[str, Literal[tuple(wire.STATUSES)]] = {}  # type: ignore[valid-type]  # as above
    left_out: tuple[str, ...] = ()


class Answer(Fault):
    kind: Literal["malformed", "charset"]


class NoReport(Fault):
    kind: Literal["no-report"]

    def reports(self, usual: float) -> list[Report]:
        del usual
        return []


class ReportFailed(Fault):
    kind: Literal["report-failed"]
    status: Word = "Failed"
    reason: Word = "DeliveryFailure"

    @property
    def arrives(self) -> bool:
        return False

    def reports(self, usual: float) -> list[Report]:
        return [Report(self.status, usual, self.reason)]


class ReportLate(Fault):
    kind: Literal["report-late"]
    seconds: Seconds = 12

    def reports(self, usual: float) -> list[Report]:
        del usual
        return [Report("Success", self.seconds)]


class ReportUnknown(Fault):
    kind: Literal["report-unknown"]
    status: Word = "Lingering"

    def reports(self, usual: float) -> list[Report]:
        return [Report(self.status, usual)]


class ReportOdd(Fault):
    kind: Literal["report-doubled", "report-out-of-order", "report-first"]

    def reports(self, usual: float) -> list[Report]:
        match self.kind:
            case "report-doubled":
                return [Report("Success", usual), Report("Success", usual * 2)]
            case "report-out-of-order":
                late = ("Submitted", usual * 2), ("Sent", usual * 3)
                return [Report("Success", usual), *(Report(*each) for each in late)]
            case "report-first":
                return [Report("Success", None)]


AnyFault = Annotated[
    Http
    | Html
    | Reset
    | Stall
    | Empty
    | PerRecipient
    | Recipients
    | Answer
    | NoReport
    | ReportFailed
    | ReportLate
    | ReportUnknown
    | ReportOdd,
    Field(discriminator="kind"),
]
_SCRIPT: TypeAdapter[AnyFault] = TypeAdapter(AnyFault)


def read(script: object) -> AnyFault:
    """
    Read one script.

    Raises:
        pydantic.ValidationError: it is none; the error says what is wrong with it.
    """
    return _SCRIPT.validate_python(script)


class Faults:
    """The scripts still to be used; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: deque[AnyFault] = deque()

    def add(self, script: AnyFault) -> bool:
        """Queue a script up; False when too many are waiting."""
        with self._lock:
            if len(self._scripts) >= _SCRIPTS_MAX:
                return False
            self._scripts.append(script)
            return True

    def take(self) -> Fault:
        """Tell what befalls this send, and use it up."""
        with self._lock:
            if not self._scripts:
                return Fault()
            script = self._scripts.popleft()
            if script.next > 1:
                self._scripts.appendleft(script.model_copy(update={"next": script.next - 1}))
            return script

    def left(self) -> list[dict[str, object]]:
        """Show the scripts still to be used."""
        with self._lock:
            return [script.model_dump(mode="json") for script in self._scripts]

    def clear(self) -> None:
        """Forget every script."""
        with self._lock:
            self._scripts.clear()
