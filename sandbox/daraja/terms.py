"""
How Safaricom treats us: limits, waits, and the quirks of what it says.

`PUT /daraja/control/terms` with JSON changes what it names until `DELETE` brings the usual back,
and `GET` shows all of it. All times are in seconds.

| field                | means                                                                |
|----------------------|----------------------------------------------------------------------|
| `phones`             | what a person does with a prompt: `ask` waits for them or a door;    |
|                      | `accept`, `cancel`, `ignore` or `wrong-pin` they do by themselves    |
| `answer_after`       | how long they take who do it by themselves                           |
| `prompt_life`        | how long a prompt stays before it is `1037`                          |
| `callback_after`     | from what happened to the callback that tells it                     |
| `result_after`       | from an accepted B2C, status, balance or reversal to its result      |
| `same_amount`        | how long the same amount from one number to one shortcode is `17`    |
| `busy_phones`        | whether a prompt to who is in a USSD session is `1037`               |
| `expires_in`         | how long a token lives                                               |
| `one_token`          | whether a new token ends the one before                              |
| `wrong_login`        | `empty`: 400 without a body; `envelope`: 400.008.01                  |
| `bearer_status`      | 404 or 401 for a token that is none                                  |
| `per_second`         | requests a second before `Spike Arrest Violation`; null for no limit |
| `quota`              | requests before `Quota Violation`; null for no limit                 |
| `query_noise`        | share of queries about what has ended that say it is being processed |
| `register_once`      | whether C2B addresses are registered once and never again            |
| `validation`         | whether the paybill asks before it takes money                       |
| `validation_seconds` | how long it waits for the answer                                     |
| `balance_max`        | KES that a shortcode may hold before `8`; null for no limit          |
| `collects_in`        | the account that paybill money goes to: `Utility Account`, or        |
|                      | `Working Account`                                                    |
| `not_found`          | code of a status result about what nobody knows                      |
| `not_found_words`    | the words of it                                                      |
| `https_only`         | whether callback addresses must be https, as in production           |
| `source`             | the address that callbacks come from, as `127.0.0.7`; null for any   |
| `forwarded_for`      | `X-Forwarded-For` of callbacks, as a proxy of ours would say it      |
| `texts`              | whether people get M-PESA's own SMS about what they paid and got     |
| `quirks`             | see below                                                            |

Quirks, each false unless told: `balance_item` (an item `Balance` without a value in callbacks),
`doubled_debit_party` (status results say `DebitPartyName` twice and never `CreditPartyName`),
`spaced_keys` (`Conversation ID`), `bare_parameter` (a failure has one, which is no array),
`reference_array` (`ReferenceItem` is an array), `shuffled` (parameters in any order),
`whole_amounts` (`1` instead of `1.00`), `gateway_originator` (a B2C result carries an
`OriginatorConversationID` of Safaricom's own).
"""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0, le=3_600)]
Habit = Literal["ask", "accept", "cancel", "ignore", "wrong-pin"]
Place = Literal["Utility Account", "Working Account"]
Words = Annotated[str, Field(min_length=1, max_length=200)]


class Quirks(BaseModel):
    """The odd ways in which Daraja has been seen to say things."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    balance_item: bool = False
    doubled_debit_party: bool = False
    spaced_keys: bool = False
    bare_parameter: bool = False
    reference_array: bool = False
    shuffled: bool = False
    whole_amounts: bool = False
    gateway_originator: bool = False


class Terms(BaseModel):
    """What can be told of how we are treated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phones: Habit = "ask"
    answer_after: Seconds = 0.3
    prompt_life: Seconds = 25
    callback_after: Seconds = 0.3
    result_after: Seconds = 0.5
    same_amount: Seconds = 120
    busy_phones: bool = True
    expires_in: Annotated[int, Field(ge=0, le=86_400)] = 3_599
    one_token: bool = True
    wrong_login: Literal["empty", "envelope"] = "empty"
    bearer_status: Literal[404, 401] = 404
    per_second: Annotated[int, Field(ge=1, le=10_000)] | None = None
    quota: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    query_noise: Annotated[float, Field(ge=0, le=1)] = 0
    register_once: bool = False
    validation: bool = True
    validation_seconds: Seconds = 8
    balance_max: Annotated[Decimal, Field(ge=0)] | None = None
    collects_in: Place = "Utility Account"
    not_found: Words = "SFC_IC0003"
    not_found_words: Words = "The operator does not exist."
    https_only: bool = False
    source: Words | None = None
    forwarded_for: Words | None = None
    texts: bool = False
    quirks: Quirks = Quirks()


class House:
    """The terms as they stand; safe to share between threads."""

    def __init__(self, usual: Terms) -> None:
        self._lock = threading.Lock()
        self._usual = usual
        self._terms = usual

    @property
    def terms(self) -> Terms:
        """How we are treated now."""
        with self._lock:
            return self._terms

    def change(self, changes: dict[str, object]) -> Terms:
        """
        Change what is named and leave the rest.

        Raises:
            pydantic.ValidationError: nobody is treated like that.

        """
        with self._lock:
            now = self._terms.model_dump()
            if isinstance(quirks := changes.get("quirks"), dict):
                changes = {**changes, "quirks": {**now["quirks"], **quirks}}
            self._terms = Terms.model_validate({**now, **changes})
            return self._terms

    def restore(self) -> None:
        """Bring the usual terms back."""
        with self._lock:
            self._terms = self._usual
