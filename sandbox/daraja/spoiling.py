"""What a script makes of a letter: late, twice, to somebody else, with other words."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sandbox.daraja import wire
from sandbox.daraja.faults import Callback

_AMOUNTS = frozenset({"Amount", "TransactionAmount"})
_RECEIPTS = frozenset({"MpesaReceiptNumber", "TransactionReceipt"})
_NUMBERS = frozenset({"PhoneNumber"})
_STRANGER = 254700999999


@dataclass(frozen=True)
class Letter:
    """
    One callback to be.

    Args:
        kind: what it tells of: `stk`, `b2c`, `status` …
        url: where it goes.
        body: what it says.
        shortcode: whose it is.
        timeout_url: the QueueTimeOutURL, where there is one.
        contrary: what it would say if it had ended the other way.

    """

    kind: str
    url: str
    body: Mapping[str, object]
    shortcode: str
    timeout_url: str = ""
    contrary: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Before:
    """Where the last letter of a kind went, and the last receipt that one had."""

    url: str = ""
    receipt: str = "SG632NMUAB"


Versions = list[tuple[float, Letter]]
"""What really goes out: seconds to wait besides the usual, and the letter."""


def versions(letter: Letter, spoilt: Callback | None, before: Before) -> Versions:
    """Make of a letter what a script wants."""
    make = None if spoilt is None else _WAYS.get(spoilt.kind)
    return [(0, letter)] if make is None or spoilt is None else make(letter, spoilt, before)


def _crossed(letter: Letter, _: Callback, before: Before) -> Versions:
    other = replace(letter, url=before.url)
    return [(0, letter), (0.05, other)] if before.url else [(0, letter)]


def _contrary(letter: Letter, spoilt: Callback, _: Before) -> Versions:
    other = letter if letter.contrary is None else replace(letter, body=letter.contrary)
    first, last = (letter, other) if spoilt.truth == "first" else (other, letter)
    return [(0, first), (0.2, last)]


def _overdue(letter: Letter) -> Letter:
    """What comes to a QueueTimeOutURL: a result without parameters, which says neither way."""
    result = letter.body["Result"]
    if not isinstance(result, Mapping):
        raise TypeError("only what has a result can be overdue")
    told = {
        "ResultType": 1,
        "ResultCode": "1",
        "ResultDesc": "The service request has timed out in the queue.",
        "OriginatorConversationID": result["OriginatorConversationID"],
        "ConversationID": result["ConversationID"],
        "TransactionID": "",
    }
    return replace(letter, kind="timeout", url=letter.timeout_url, body={"Result": told})


def _reworded(letter: Letter, body: Mapping[str, object]) -> Versions:
    return [(0, replace(letter, body=body))]


_WAYS: dict[str, Callable[[Letter, Callback, Before], Versions]] = {
    "lost": lambda *_: [],
    "late": lambda letter, spoilt, _: [(spoilt.seconds, letter)],
    "twice": lambda letter, spoilt, _: [(0.05 * time, letter) for time in range(spoilt.times)],
    "crossed": _crossed,
    "contrary": _contrary,
    "wrong-amount": lambda letter, spoilt, _: _reworded(
        letter, _changed(letter.body, _AMOUNTS, wire.two(spoilt.amount))
    ),
    "wrong-number": lambda letter, *_: _reworded(
        letter, _changed(letter.body, _NUMBERS, _STRANGER)
    ),
    "used-receipt": lambda letter, _, before: _reworded(
        letter, _with_receipt(letter.body, before.receipt)
    ),
    "timeout": lambda letter, *_: [(0, _overdue(letter))],
    "timeout-then-result": lambda letter, spoilt, _: [
        (0, _overdue(letter)),
        (spoilt.seconds, letter),
    ],
}


def elsewhere(url: str) -> str:
    """The same address with another token: the longest run of hex in it is drawn anew."""
    parts = url.split("/")
    place = max(range(3, len(parts)), key=lambda at: (len(parts[at]), at))
    parts[place] = secrets.token_hex(len(parts[place]) // 2 or 1)
    return "/".join(parts)


def _changed(body: Mapping[str, object], names: frozenset[str], value: object) -> dict[str, object]:
    """The same body with another value for what is named so, however deep it lies."""
    changed = copy.deepcopy(dict(body))

    def walk(node: object) -> None:
        if isinstance(node, list):
            for each in node:
                walk(each)
        elif isinstance(node, dict):
            if {node.get("Name"), node.get("Key")} & names:
                node["Value"] = value
            for each in node.values():
                walk(each)

    walk(changed)
    return changed


def _with_receipt(body: Mapping[str, object], receipt: str) -> dict[str, object]:
    changed = _changed(body, _RECEIPTS, receipt)
    result = changed.get("Result")
    if isinstance(result, dict):
        result["TransactionID"] = receipt
    return changed


def receipt_of(body: Mapping[str, object]) -> str | None:
    """The receipt that a success carries."""
    found: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, list):
            for each in node:
                walk(each)
        elif isinstance(node, Mapping):
            if {node.get("Name"), node.get("Key")} & _RECEIPTS:
                found.append(str(node["Value"]))
            for each in node.values():
                walk(each)

    walk(body)
    return found[0] if found else None
