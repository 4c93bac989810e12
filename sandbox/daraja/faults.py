"""
The ways in which Daraja fails, to be scripted for the next requests.

`POST /daraja/control/faults` takes one script as JSON, or `{"preset": NAME}` with the same fields
besides. `GET` shows what is left, `DELETE` forgets it. A script is used by the next request that it
is about, in order of arrival:

| field      | means                                                                      |
|------------|----------------------------------------------------------------------------|
| `on`       | `oauth` `stk` `query` `register` `simulate` `b2c` `status` `balance`       |
|            | `reversal` `qr` `b2b` `pull` `imsi`, or `confirmation` (a paybill's);      |
|            | any but the last when left out                                             |
| `number`   | only what is about this phone, as `254…`                                   |
| `next`     | how many requests it spoils (1)                                            |
| `answer`   | what the caller sees; the usual when left out                              |
| `callback` | what happens to the callback; the usual when left out                      |
| `outcome`  | the result code that it ends with, and no money moves; the true one if not |
| `fate`     | on `status`: the `TransactionStatus` that is told, or `not-found`          |

`answer.kind`. With `"moved": true` what was asked for is done all the same; the last five say by
themselves whether it is.

| kind            | the caller sees                               | takes                       |
|-----------------|-----------------------------------------------|-----------------------------|
| `reset`         | the connection reset                          |                             |
| `http`          | this status and plain text                    | `status` (500), `body`      |
| `html`          | a proxy's HTML page                           | `status` (503)              |
| `empty`         | no body                                       | `status` (500)              |
| `envelope`      | this refusal, whatever the status             | `status`, `code`, `message` |
| `busy`          | 500.003.02 System is busy                     |                             |
| `response-code` | 200 whose `ResponseCode` is not 0             | `code` (1)                  |
| `malformed`     | 200 and JSON cut off in the middle            |                             |
| `stall`         | the usual answer after a wait; done before it | `seconds` (12)              |
|                 | if moved, and otherwise after it              |                             |
| `slow-body`     | the usual answer, a few bytes at a time; done | `seconds` (12)              |
| `pending`       | on `query`: it is being processed             | `how`: `processing`,        |
|                 |                                               | `4999`, `empty`             |
| `spike`         | 500.003.02 Spike Arrest Violation; not done   |                             |
| `quota`         | 500.003.03 Quota Violation; not done          |                             |
| `maintenance`   | 500.002.1001 under maintenance; not done      |                             |
| `token-expired` | 404.001.03, and the token is void; not done   |                             |

`callback.kind`:

| kind                  | what comes                                               | takes         |
|-----------------------|----------------------------------------------------------|---------------|
| `lost`                | nothing                                                  |               |
| `late`                | the truth, after this long besides                       | `seconds` (2) |
| `twice`               | the truth, so many times                                 | `times` (2)   |
| `first`               | the truth, before the request is answered: a prompt is   |               |
|                       | accepted at once                                         |               |
| `swapped`             | the truth, after the next of its kind                    |               |
| `crossed`             | the truth, and the same to the one before of its kind    |               |
| `wrong-amount`        | the truth with another amount                            | `amount` (1)  |
| `wrong-number`        | the truth with another phone                             |               |
| `used-receipt`        | the truth with the receipt of the one before             |               |
| `forged`              | at once a success that is none; the truth when it is so | `address`:    |
|                       |                                                          | `own`, `other`|
| `contrary`            | what is not so and then the truth, or the other way      | `truth`:      |
|                       |                                                          | `last` `first`|
| `timeout`             | QueueTimeOutURL, and no result                           |               |
| `timeout-then-result` | QueueTimeOutURL, then the result                         | `seconds` (2) |
| `corrupt`             | JSON cut off in the middle                               |               |

`PUT /daraja/control/weather` with `{"seed": 7, "weights": {"none": 80, "lost-ack": 5, …}}` draws a
preset for every request that no script is about, until `DELETE`. The presets are those of
`GET /daraja/control/presets`; one that is not about the kind of request counts as `none`.
"""

from __future__ import annotations

import threading
from collections import deque
from decimal import Decimal
from random import Random
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_SCRIPTS_MAX = 10_000

Seconds = Annotated[float, Field(ge=0, le=600)]
Status = Annotated[int, Field(ge=200, le=599)]
Api = Literal[
    "oauth",
    "stk",
    "query",
    "register",
    "simulate",
    "b2c",
    "status",
    "balance",
    "reversal",
    "qr",
    "b2b",
    "pull",
    "imsi",
    "confirmation",
]
Fate = Literal[
    "Completed",
    "Cancelled",
    "Declined",
    "Expired",
    "Initiated",
    "Authorized",
    "Pending Authorized",
    "not-found",
]
_QUEUED = frozenset({"b2c", "status", "balance", "reversal", "b2b"})
_TOLD = _QUEUED | {"stk", "simulate", "confirmation"}

_FROZEN = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What the caller sees instead of the usual answer."""

    model_config = _FROZEN

    kind: Literal[
        "reset",
        "http",
        "html",
        "empty",
        "envelope",
        "busy",
        "response-code",
        "malformed",
        "stall",
        "slow-body",
        "spike",
        "quota",
        "maintenance",
        "token-expired",
        "pending",
    ]
    moved: bool = False
    status: Status | None = None
    body: Annotated[str, Field(max_length=4_000)] = "Service Unavailable"
    code: Annotated[str, Field(max_length=40)] = "1"
    message: Annotated[str, Field(max_length=400)] = "Internal Server Error"
    seconds: Seconds = 12
    how: Literal["processing", "4999", "empty"] = "processing"

    @property
    def carried_out(self) -> bool:
        """Whether what was asked for is done."""
        if self.kind in {"spike", "quota", "maintenance", "token-expired"}:
            return False
        return self.moved or self.kind in {"slow-body", "pending"}


class Callback(BaseModel):
    """What happens to the callback."""

    model_config = _FROZEN

    kind: Literal[
        "lost",
        "late",
        "twice",
        "first",
        "swapped",
        "crossed",
        "wrong-amount",
        "wrong-number",
        "used-receipt",
        "forged",
        "contrary",
        "timeout",
        "timeout-then-result",
        "corrupt",
    ]
    seconds: Seconds = 2
    times: Annotated[int, Field(ge=2, le=100)] = 2
    amount: Annotated[Decimal, Field(ge=0, decimal_places=2)] = Decimal(1)
    address: Literal["own", "other"] = "own"
    truth: Literal["first", "last"] = "last"


class Script(BaseModel):
    """One request's misfortune; without any field it is none at all."""

    model_config = _FROZEN

    on: Api | None = None
    number: Annotated[str, Field(pattern=r"^254\d{9}$")] | None = None
    next: Annotated[int, Field(ge=1, le=100_000)] = 1
    answer: Answer | None = None
    callback: Callback | None = None
    outcome: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,20}$")] | None = None
    fate: Fate | None = None


NONE = Script()

PRESETS: dict[str, dict[str, Any]] = {
    "none": {},
    "lost-ack": {"answer": {"kind": "reset", "moved": True}},
    "lost-request": {"answer": {"kind": "reset"}},
    "5xx-moved": {"answer": {"kind": "http", "status": 503, "moved": True}},
    "5xx": {"answer": {"kind": "http", "status": 503}},
    "empty-500": {"answer": {"kind": "empty"}},
    "empty-500-moved": {"answer": {"kind": "empty", "moved": True}},
    "html-200": {"answer": {"kind": "html", "status": 200, "moved": True}},
    "html-503": {"answer": {"kind": "html", "status": 503}},
    "malformed": {"answer": {"kind": "malformed", "moved": True}},
    "busy": {"answer": {"kind": "busy"}},
    "busy-moved": {"answer": {"kind": "busy", "moved": True}},
    "slow-body": {"answer": {"kind": "slow-body", "seconds": 1}},
    "stall": {"answer": {"kind": "stall", "moved": True}},
    "spike": {"answer": {"kind": "spike"}},
    "quota": {"answer": {"kind": "quota"}},
    "maintenance": {"answer": {"kind": "maintenance"}},
    "token-expired": {"answer": {"kind": "token-expired"}},
    "pending": {"answer": {"kind": "pending"}},
    "callback-lost": {"callback": {"kind": "lost"}},
    "callback-late": {"callback": {"kind": "late"}},
    "callback-twice": {"callback": {"kind": "twice"}},
    "callback-first": {"callback": {"kind": "first"}},
    "callback-swapped": {"callback": {"kind": "swapped"}},
    "callback-crossed": {"callback": {"kind": "crossed"}},
    "wrong-amount": {"callback": {"kind": "wrong-amount"}},
    "wrong-number": {"callback": {"kind": "wrong-number"}},
    "used-receipt": {"callback": {"kind": "used-receipt"}},
    "forged": {"callback": {"kind": "forged"}},
    "forged-elsewhere": {"callback": {"kind": "forged", "address": "other"}},
    "failed-then-paid": {"callback": {"kind": "contrary"}},
    "paid-then-failed": {"callback": {"kind": "contrary", "truth": "first"}},
    "timeout": {"callback": {"kind": "timeout"}},
    "timeout-then-result": {"callback": {"kind": "timeout-then-result"}},
    "corrupt": {"callback": {"kind": "corrupt"}},
    "lost-ack-and-callback": {
        "answer": {"kind": "reset", "moved": True},
        "callback": {"kind": "lost"},
    },
    "insufficient": {"outcome": "1"},
    "expired": {"outcome": "1019"},
}
"""What a script says, by a name. The faults of every integration's nightmares, one each."""


def read(script: dict[str, Any]) -> Script:
    """
    Read one script.

    Raises:
        pydantic.ValidationError: it is none; the error says what is wrong with it.
        KeyError: there is no such preset.

    """
    named = dict(PRESETS[str(script["preset"])]) if "preset" in script else {}
    return Script.model_validate(
        named | {name: value for name, value in script.items() if name != "preset"}
    )


class Weather(BaseModel):
    """Presets to be drawn, and how often."""

    model_config = _FROZEN

    seed: int = 0
    weights: dict[str, Annotated[float, Field(ge=0, le=1_000_000)]]


class Faults:
    """The scripts still to be used, and the weather; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: deque[Script] = deque()
        self._weather: Weather | None = None
        self._random = Random(0)  # noqa: S311 -- drawn again from the same seed

    def add(self, script: Script) -> bool:
        """Queue a script up; False when too many are waiting."""
        with self._lock:
            if len(self._scripts) >= _SCRIPTS_MAX:
                return False
            self._scripts.append(script)
            return True

    def take(self, api: Api, number: str | None) -> Script:
        """Tell what befalls this request, and use it up."""
        with self._lock:
            for place, script in enumerate(self._scripts):
                if script.on not in {None, api} or (script.on is None and api == "confirmation"):
                    continue
                if script.number is not None and script.number != number:
                    continue
                if script.next > 1:
                    fewer = script.model_copy(update={"next": script.next - 1})
                    self._scripts[place] = fewer
                else:
                    del self._scripts[place]
                return script
            return self._drawn(api)

    def change_weather(self, weather: Weather | None) -> None:
        """
        Draw by these weights from now on, from the beginning of their seed.

        Raises:
            KeyError: there is no such preset.

        """
        if weather is not None and (unknown := set(weather.weights) - set(PRESETS)):
            raise KeyError(min(unknown))
        with self._lock:
            self._weather = weather
            self._random = Random(weather.seed if weather else 0)  # noqa: S311 -- as above

    def left(self) -> list[dict[str, object]]:
        """Show the scripts still to be used."""
        with self._lock:
            return [script.model_dump(mode="json", exclude_none=True) for script in self._scripts]

    def clear(self) -> None:
        """Forget every script."""
        with self._lock:
            self._scripts.clear()

    def _drawn(self, api: Api) -> Script:
        if self._weather is None or not sum(self._weather.weights.values()):
            return NONE
        names, weights = zip(*self._weather.weights.items(), strict=True)
        script = read({"preset": self._random.choices(names, weights)[0]})
        return script if _fits(script, api) else NONE


def _fits(script: Script, api: Api) -> bool:
    """Whether a preset is about a kind of request."""
    if script.answer is not None and script.answer.kind == "pending":
        return api == "query"
    if script.answer is not None and api == "confirmation":
        return False
    if script.outcome is not None:
        return api in {"stk", "b2c"}
    if script.callback is None:
        return True
    if script.callback.kind in {"timeout", "timeout-then-result"}:
        return api in _QUEUED
    anywhere = {"lost", "late", "twice", "corrupt"}
    return api in (_TOLD if script.callback.kind in anywhere else {"stk", "b2c"})
