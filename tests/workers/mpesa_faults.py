"""What goes wrong with money in and money out, by its number in the reference (daraja.md §2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

ASKED = 500
SOON = {"callback": {"kind": "late", "seconds": 0.2}}


@dataclass
class Fault:
    """
    What goes wrong, and what must come of it.

    Args:
        number: Its number in the reference.
        name: What it is.
        scripts: What the sandbox's Safaricom is told.
        state: The row's, at the end.
        told: What the person was told, in order.
        terms: How Safaricom treats us besides.
        came: Whether Safaricom moved the money.
        kept: Whether we have it on the person's account, or in suspense ("suspense").
        cases: How many cases there are for staff.
        calls: How often Safaricom got the request that moves money.
        amount: Shillings.
        registered: Whether payments are told to our paybill, too.
    """

    number: int
    name: str
    scripts: list[dict[str, object]]
    state: str
    told: list[str]
    terms: dict[str, object] = field(default_factory=dict)
    came: bool = True
    kept: str = "account"
    cases: int = 0
    calls: int = 1
    amount: int = ASKED
    registered: bool = False

    def __str__(self) -> str:
        return f"{self.number}-{self.name}"


def spoil(api: str, preset: str, **more: object) -> dict[str, object]:
    return {"on": api, "preset": preset, **more}


def quirks() -> dict[str, object]:
    names = ("balance_item", "spaced_keys", "bare_parameter", "reference_array", "shuffled")
    return {"quirks": dict.fromkeys((*names, "whole_amounts", "doubled_debit_party"), True)}


PAID_IN, FAILED_IN = ["deposit-settled"], ["deposit-failed"]
IN = [
    Fault(1, "lost ack", [spoil("stk", "lost-ack")], "settled", PAID_IN),
    Fault(
        1,
        "lost ack and callback",
        [spoil("stk", "lost-ack-and-callback")],
        "settled",
        PAID_IN,
        registered=True,
    ),
    Fault(2, "5xx, but moved", [spoil("stk", "5xx-moved")], "settled", PAID_IN),
    Fault(2, "HTML instead of JSON", [spoil("stk", "html-200")], "settled", PAID_IN),
    Fault(2, "busy, but moved", [spoil("stk", "busy-moved")], "settled", PAID_IN),
    Fault(
        2, "5xx, and not moved", [spoil("stk", "5xx")], "expired", ["deposit-expired"], came=False
    ),
    Fault(3, "callback before the ack", [spoil("stk", "callback-first")], "settled", PAID_IN),
    Fault(4, "callback twice", [spoil("stk", "callback-twice")], "settled", PAID_IN),
    Fault(5, "no callback", [spoil("stk", "callback-lost")], "settled", PAID_IN),
    Fault(5, "half a callback", [spoil("stk", "corrupt")], "settled", PAID_IN),
    Fault(
        6, "late", [spoil("stk", "callback-late", callback=SOON["callback"])], "settled", PAID_IN
    ),
    Fault(
        7,
        "failed, then paid",
        [spoil("stk", "failed-then-paid")],
        "review",
        ["deposit-failed", "deposit-in-review"],
        kept="suspense",
        cases=1,
    ),
    Fault(7, "paid, then failed", [spoil("stk", "paid-then-failed")], "settled", PAID_IN, cases=1),
    Fault(
        8,
        "still processing",
        [
            spoil("stk", "callback-lost"),
            {"on": "query", "answer": {"kind": "pending", "how": "processing"}},
            {"on": "query", "answer": {"kind": "pending", "how": "4999"}},
            {"on": "query", "answer": {"kind": "pending", "how": "empty"}},
            {"on": "query", "answer": {"kind": "html"}},
        ],
        "settled",
        ["deposit-expired", *PAID_IN],
    ),
    Fault(9, "told twice over", [], "settled", PAID_IN, registered=True),
    Fault(10, "paid after we gave up", [], "settled", ["deposit-expired", *PAID_IN]),
    Fault(11, "token expired", [spoil("stk", "token-expired")], "settled", PAID_IN, calls=2),
    Fault(12, "spike arrest", [spoil("stk", "spike", next=3)], "settled", PAID_IN, calls=4),
    Fault(
        13,
        "the query says it failed",
        [{"on": "stk", "outcome": "1032", "callback": {"kind": "lost"}}],
        "failed",
        FAILED_IN,
        came=False,
    ),
    Fault(14, "as oddly as it can be said", [], "settled", PAID_IN, terms=quirks()),
    Fault(15, "unknown token", [spoil("stk", "forged-elsewhere")], "settled", PAID_IN),
    Fault(15, "unlisted address", [], "settled", PAID_IN, terms={"source": "127.0.0.7"}),
    Fault(
        15,
        "wrong amount",
        [spoil("stk", "wrong-amount")],
        "review",
        ["deposit-in-review"],
        kept="suspense",
        cases=1,
    ),
    Fault(
        15,
        "a success that is none",
        [spoil("stk", "forged", outcome="1032")],
        "failed",
        FAILED_IN,
        terms={"answer_after": 0.2},
        came=False,
        amount=6_000,
    ),
]

PAID_OUT, FAILED_OUT = ["withdrawal-paid"], ["withdrawal-failed"]
LOST = spoil("b2c", "callback-lost")
OUT = [
    Fault(
        1,
        "lost request",
        [spoil("b2c", "lost-request")],
        "paid",
        ["withdrawal-delayed", *PAID_OUT],
        calls=2,
    ),
    Fault(2, "lost ack", [spoil("b2c", "lost-ack")], "paid", PAID_OUT),
    Fault(2, "lost ack and callback", [spoil("b2c", "lost-ack-and-callback")], "paid", PAID_OUT),
    Fault(2, "5xx, but moved", [spoil("b2c", "5xx-moved")], "paid", PAID_OUT),
    Fault(
        2,
        "maintenance",
        [spoil("b2c", "maintenance")],
        "paid",
        ["withdrawal-delayed", *PAID_OUT],
        calls=2,
    ),
    Fault(3, "result before the ack", [spoil("b2c", "callback-first")], "paid", PAID_OUT),
    Fault(4, "result twice", [spoil("b2c", "callback-twice")], "paid", PAID_OUT),
    Fault(5, "no result", [LOST], "paid", PAID_OUT),
    Fault(5, "half a result", [spoil("b2c", "corrupt")], "paid", PAID_OUT),
    Fault(6, "timeout, no result", [spoil("b2c", "timeout")], "paid", PAID_OUT),
    Fault(
        6,
        "timeout, then the result",
        [{"on": "b2c", "callback": {"kind": "timeout-then-result", "seconds": 0.2}}],
        "paid",
        PAID_OUT,
    ),
    Fault(7, "paid, then failed", [spoil("b2c", "paid-then-failed")], "paid", PAID_OUT, cases=1),
    Fault(
        7,
        "failed, then paid, and little",
        [spoil("b2c", "failed-then-paid")],
        "review",
        FAILED_OUT,
        cases=1,
        kept="both",
    ),
    Fault(
        7,
        "failed, then paid, and much",
        [spoil("b2c", "failed-then-paid")],
        "paid",
        PAID_OUT,
        amount=6_000,
    ),
    Fault(
        8,
        "nobody can say for long",
        [
            LOST,
            {"on": "status", "next": 2, "fate": "Pending Authorized"},
            spoil("status", "html-200"),
        ],
        "paid",
        ["withdrawal-delayed", *PAID_OUT],
    ),
    Fault(
        9,
        "the result and the status",
        [spoil("b2c", "callback-late", callback=SOON["callback"])],
        "paid",
        PAID_OUT,
    ),
    Fault(11, "token expired", [spoil("b2c", "token-expired")], "paid", PAID_OUT, calls=2),
    Fault(12, "spike arrest", [spoil("b2c", "spike", next=2)], "paid", PAID_OUT, calls=3),
    Fault(
        13,
        "declined, with a code of success",
        [{"on": "b2c", "outcome": "2040", "callback": {"kind": "lost"}}],
        "failed",
        FAILED_OUT,
        came=False,
    ),
    Fault(14, "as oddly as it can be said", [], "paid", PAID_OUT, terms=quirks()),
    Fault(
        14,
        "their identifier for ours",
        [],
        "paid",
        PAID_OUT,
        terms={"quirks": {"gateway_originator": True}},
    ),
    Fault(15, "unknown token", [spoil("b2c", "forged-elsewhere")], "paid", PAID_OUT),
    Fault(15, "unlisted address", [], "paid", PAID_OUT, terms={"source": "127.0.0.7"}),
    Fault(15, "wrong amount", [spoil("b2c", "wrong-amount")], "review", [], cases=1, kept="held"),
    Fault(15, "another's number", [spoil("b2c", "wrong-number")], "paid", PAID_OUT),
    Fault(
        15,
        "a success that is none",
        [spoil("b2c", "forged", outcome="2040")],
        "failed",
        FAILED_OUT,
        came=False,
        amount=6_000,
    ),
]
