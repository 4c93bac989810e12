"""Whom a payment went to: read from Safaricom's own samples, in whatever order they come."""

from __future__ import annotations

import json
from itertools import permutations

import golden_daraja as golden
import pytest

from workers.daraja import parties, wire

OURS, THEIRS = "600310", "254708374149"


def answer(*pairs: tuple[str, object], of: bytes = golden.STATUS, without: str = "") -> wire.Result:
    """Safaricom's sample with other pairs in the place of those of the same keys."""
    told = json.loads(of)
    instead = {key for key, _ in pairs} | {without}
    listed = told["Result"]["ResultParameters"]["ResultParameter"]
    kept = [each for each in listed if each["Key"].replace(" ", "") not in instead]
    added = [{"Key": key, "Value": value} for key, value in pairs]
    told["Result"]["ResultParameters"]["ResultParameter"] = added + kept
    return wire.result(json.dumps(told).encode())


@pytest.mark.parametrize("body", [golden.STATUS, golden.STATUS_WITH_SPACES])
def test_in_the_samples_a_person_was_paid(body):
    assert parties.payee(wire.result(body)) == THEIRS


@pytest.mark.parametrize(
    ("account", "paid"),
    [
        ("Utility Account", THEIRS),
        ("working account ", THEIRS),
        ("MMF Account For Customer", OURS),
        ("MMF Account", None),
        ("", None),
        (None, None),
        (["Utility Account"], None),
    ],
)
def test_where_both_are_called_debited_the_account_says_who_was(account, paid):
    pairs = [
        ("DebitPartyName", f"{OURS} - Safaricom333"),
        ("DebitPartyName", f"{THEIRS} - John Doe"),
        ("DebitAccountType", account),
    ]
    for order in permutations(pairs):
        assert parties.payee(answer(*order)) == paid


@pytest.mark.parametrize("spelt", ["CreditPartyName", "Credit Party Name", "CREDITPARTYNAME"])
@pytest.mark.parametrize("account", ["Utility Account", "MMF Account For Customer", "", None])
def test_where_one_is_called_credited_that_is_who_was_paid(account, spelt):
    pairs = [
        ("DebitPartyName", f"{THEIRS} - John Doe"),
        (spelt, f"{OURS} - Safaricom333"),
        ("DebitAccountType", account),
    ]
    for order in permutations(pairs):
        assert parties.payee(answer(*order)) == OURS


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("DebitPartyName", f"{OURS} - Safaricom333")],
        [("DebitPartyName", f"{OURS} - A"), ("DebitPartyName", "600992 - B")],
        [("DebitPartyName", f"{THEIRS} - A"), ("DebitPartyName", "254708374148 - B")],
        [("DebitPartyName", f"{OURS} - A")] * 3,
        [("CreditPartyName", f"{OURS} - A"), ("CreditPartyName", f"{THEIRS} - B")],
        [("CreditPartyName", "KABAMBE")],
        [("CreditPartyName", "John 600310 - Doe")],
        [("CreditPartyName", None)],
        [("CreditPartyName", [f"{OURS} - A"])],
        [("CreditPartyName", {"Value": f"{OURS} - A"})],
        [("CreditPartyName", 600310)],
        [("DebitPartyName", "2547 ***** 149 - A"), ("DebitPartyName", "254*** - B")],
    ],
)
def test_else_nobody_knows(pairs):
    assert parties.payee(answer(*pairs, without="DebitPartyName")) is None


def test_a_payer_may_be_masked():
    pairs = [
        ("DebitPartyName", "2547 ***** 149 - John Doe"),
        ("DebitPartyName", f"{OURS} - Safaricom333"),
        ("DebitAccountType", "MMF Account For Customer"),
    ]
    assert parties.payee(answer(*pairs)) == OURS
