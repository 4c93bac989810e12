"""
The ways in which a rail fails, to be scripted for the next requests.

`POST /<rail>/control/faults` takes one script as JSON; `GET` shows what is left, `DELETE` forgets
it. A script is used by the next request that it is about, in order of arrival:

| field     | means                                                                               |
|-----------|-------------------------------------------------------------------------------------|
| `on`      | `initialise` `verify` `recipient` `transfer` `verify-transfer`, or `pay`, which is  |
|           | what a person does on the page; any request of ours when left out                   |
| `next`    | how many requests it spoils (1)                                                     |
| `answer`  | what the caller sees, below; the usual when left out                                |
| `news`    | what happens to the webhook, below; the usual when left out                         |
| `outcome` | of a transfer: `paid`, `failed`, `reversed` (paid, then reversed), `open`, `otp`    |
| `amount`  | on `pay`: what is paid instead, in minor units                                      |
| `currency`| on `pay`: in which currency                                                         |

`answer.kind`; with `"moved": true` the request is carried out all the same:

| kind        | the caller sees                  | takes                                    |
|-------------|----------------------------------|------------------------------------------|
| `reset`     | the connection reset             |                                          |
| `http`      | this status and plain text       | `status` (503)                           |
| `html`      | a proxy's HTML page              | `status` (502)                           |
| `empty`     | no body                          | `status` (500)                           |
| `error`     | the rail's own refusal           | `status` (400), `message`                |
| `malformed` | 200 and JSON cut off             |                                          |
| `throttled` | 429                              |                                          |
| `stall`     | the usual answer after a wait    | `seconds` (12)                           |

`news.kind`:

| kind        | what comes                                                       | takes      |
|-------------|------------------------------------------------------------------|------------|
| `lost`      | nothing                                                          |            |
| `late`      | the truth, after this long                                       | `seconds`  |
| `twice`     | the truth, twice                                                 |            |
| `first`     | the truth, before the request is answered                        |            |
| `forged`    | first the opposite under a signature that is none, then the truth |           |
| `corrupt`   | JSON cut off in the middle, well signed                          |            |
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_SCRIPTS_MAX = 10_000

Call = Literal["initialise", "verify", "recipient", "transfer", "verify-transfer", "pay"]
Seconds = Annotated[float, Field(ge=0, le=600)]

_FROZEN = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What the caller sees instead of the usual answer."""

    model_config = _FROZEN

    kind: Literal["reset", "http", "html", "empty", "error", "malformed", "throttled", "stall"]
    moved: bool = False
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    message: Annotated[str, Field(max_length=400)] = "Something is wrong"
    seconds: Seconds = 12


class News(BaseModel):
    """What happens to the webhook."""

    model_config = _FROZEN

    kind: Literal["lost", "late", "twice", "first", "forged", "corrupt"]
    seconds: Seconds = 2


class Script(BaseModel):
    """One request's misfortune; without any field it is none at all."""

    model_config = _FROZEN

    on: Call | None = None
    next: Annotated[int, Field(ge=1, le=100_000)] = 1
    answer: Answer | None = None
    news: News | None = None
    outcome: Literal["paid", "failed", "reversed", "open", "otp"] | None = None
    amount: Annotated[int, Field(ge=1, le=10**15)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None

    @property
    def is_done(self) -> bool:
        """Whether what was asked for is carried out."""
        return self.answer is None or self.answer.moved or self.answer.kind == "stall"


NONE = Script()


class Faults:
    """The scripts still to be used; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: deque[Script] = deque()

    def add(self, script: Script) -> bool:
        """Queue a script up; False when too many are waiting."""
        with self._lock:
            if len(self._scripts) >= _SCRIPTS_MAX:
                return False
            self._scripts.append(script)
            return True

    def take(self, call: Call) -> Script:
        """Tell what befalls this request, and use it up."""
        with self._lock:
            for place, script in enumerate(self._scripts):
                if script.on != call and (script.on is not None or call == "pay"):
                    continue
                if script.next > 1:
                    fewer = script.model_copy(update={"next": script.next - 1})
                    self._scripts[place] = fewer
                else:
                    del self._scripts[place]
                return script
            return NONE

    def left(self) -> list[dict[str, object]]:
        """Show the scripts still to be used."""
        with self._lock:
            return [script.model_dump(mode="json", exclude_none=True) for script in self._scripts]

    def clear(self) -> None:
        """Forget every script."""
        with self._lock:
            self._scripts.clear()
