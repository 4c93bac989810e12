"""
What the gateway's answer to a call means (reference daraja.md §1.0).

Accepted, rejected, unreachable or unknown. What was refused, and how surely, is told by the code
together with its words, as one code has up to five meanings; words we do not know leave it unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple

from workers.daraja import wire
from workers.daraja.wire import Acknowledged, Refusal
from workers.errors import Blocked, CallFailed, Rejected, Unknown, Unreachable
from workers.transport import Answer

# Codes of ours, to count and to search by.
INVALID: Final = "InvalidRequest"
INVALID_PAYOUT: Final = "InvalidPayout"
BUSY: Final = "SubscriberBusy"
BAD_TOKEN: Final = "BadToken"  # noqa: S105 - a word for a log
BAD_URL: Final = "BadUrl"
BAD_ACCOUNT: Final = "BadAccount"
TAKEN: Final = "AlreadyRegistered"

_NO_TOKEN: Final = ("404.001.03", "400.003.01", "401.")
_QUOTA_SECONDS: Final = 60.0
_SPIKE_SECONDS: Final = 1.0


class _Rule(NamedTuple):
    """Whoever has one of these codes and these words among theirs fails in this way."""

    codes: tuple[str, ...]
    words: str
    failure: Callable[[str], CallFailed]
    only: HTTPStatus | None = None
    of_prompts: bool | None = None


_FIELD: Final = re.compile(r"\binvalid ([a-z]{1,40})\b", re.IGNORECASE)
_NOWHERE: Final = ("404.001.01", "404.002.01", "404.003.01", "404.001.04", "405.001")
_RULES: Final = (
    # Of a call that is no prompt's, the payee and the amount are the payout's own.
    *(
        _Rule(
            ("400.002.",),
            f"invalid {field}",
            lambda why: Rejected(why, INVALID_PAYOUT, alert=True),
            only=HTTPStatus.BAD_REQUEST,
            of_prompts=False,
        )
        for field in ("partyb", "amount")
    ),
    _Rule(
        ("400.002.",),
        "",
        lambda why: Rejected(why, INVALID, alert=True),
        only=HTTPStatus.BAD_REQUEST,
    ),
    _Rule(_NOWHERE, "", lambda why: Blocked(f"{why}; is the address right?", BAD_URL)),
    _Rule(("",), "apiproduct", lambda why: Blocked(f"{why}; the app lacks it", BAD_TOKEN)),
    # Both are turned away before they are read. "System is busy" has the code of the first.
    _Rule(("500.003.02",), "spike arrest", lambda why: Unreachable(why, _SPIKE_SECONDS)),
    _Rule(("500.003.03",), "quota", lambda why: Unreachable(why, _QUOTA_SECONDS)),
    _Rule(
        ("500.001.1001",),
        "unable to lock subscriber",
        lambda why: Rejected(f"{why}: they have another prompt open", BUSY),
        of_prompts=True,
    ),
    _Rule(
        ("500.001.1001",),
        "merchant does not exist",
        lambda why: Blocked(f"{why}: the shortcode is wrong", BAD_ACCOUNT),
        of_prompts=True,
    ),
    _Rule(
        ("500.001.1001",),
        "wrong credentials",
        lambda why: Blocked(f"{why}: the passkey is wrong", BAD_ACCOUNT),
        of_prompts=True,
    ),
    _Rule(("500.003.1001",), "already registered", lambda why: Rejected(why, TAKEN)),
)


def is_refused_for_its_token(answer: Answer) -> bool:
    """Whether the gateway turned a call away at the door, so that it may be made again."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return False
    try:
        told = wire.acknowledged(answer.body or b"")
    except wire.Misread:
        return False
    return isinstance(told, Refusal) and told.code.startswith(_NO_TOKEN)


def judge(answer: Answer, *, is_prompt: bool, accepted: tuple[str, ...]) -> Acknowledged:
    """
    Let only acknowledgements through.

    Args:
        answer: What the gateway answered.
        is_prompt: Whether a phone was to be prompted, where one code says more than elsewhere.
        accepted: What codes an acknowledgement has.

    Raises:
        Rejected, Blocked, Unreachable, Unknown: By the code and the words together.
    """
    why = f"HTTP {answer.status}"
    if answer.body is None:
        raise Unknown(f"{why}, cut off", is_silence=True)
    try:
        told = wire.acknowledged(answer.body)
    except wire.Misread:
        is_silence = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise Unknown(f"{why} with a body that is no answer", is_silence=is_silence) from None
    is_success = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
    if isinstance(told, Acknowledged):
        if is_success and (told.code in accepted or told.picture):
            return told
        raise Unknown(f"{why} with the code {told.code}")
    if is_success:
        raise Unknown(f"{why}, but {told.code}")
    raise _failure(told, answer.status, is_prompt=is_prompt)


def _failure(told: Refusal, status: int, *, is_prompt: bool) -> CallFailed:
    words = told.why.casefold()
    why = f"HTTP {status}: {told.code}"
    if (field := _FIELD.search(told.why)) is not None:
        why = f"{why} ({field[1]})"
    for rule in _RULES:
        if (
            told.code.startswith(rule.codes)
            and rule.words in words
            and rule.only in (None, status)
            and rule.of_prompts in (None, is_prompt)
        ):
            return rule.failure(why)
    return Unknown(why)
