"""Whatever comes to the doors that Safaricom calls: no fault, no delay, no money moved wrongly."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import partial
from itertools import count

import golden_daraja as golden
import pytest
from golden_daraja import CALLBACKS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from rail import opened
from safaricom import CALLERS, DOOR

from core import inquiries, withdrawals
from core.money import kes
from workers.mpesa import letters

TOKEN = "fedcba9876543210" * 2
DIGEST = hashlib.sha256(TOKEN.encode()).digest()
UNKNOWN = "0" * 32
TOLD, NOBODYS = "RKL51ZDR4X", "RKL51ZDR4Y"
SECONDS_MAX = 2

# Any text, halves of letters too; numbers that no double is.
TEXTS = some.text(some.characters(), max_size=40)
JSONS = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | TEXTS,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
# What JSON's writers do not write: few bytes that would be gigabytes if anybody wrote them out,
# more digits than are read, and boxes in boxes up to where readers give up.
STAND_IN = "what JSON's writers do not write"
ODD = some.sampled_from(
    [
        *(b"1E999999999999999999", b"1E400000000", b"-1E400000000", b"1E-400000000", b"1e400"),
        *(b"9" * 5_000, b"0.1" + b"0" * 5_000, b"NaN", b"-Infinity", b"-0", b"1.0", b"6000.001"),
    ]
) | some.sampled_from([9, 500, 900, 990, 1_100, 3_000, 8_000]).flatmap(
    lambda depth: some.sampled_from(
        [b"[" * depth + b"]" * depth, b'{"Key":' * depth + b"1" + b"}" * depth]
    )
)

OURS = CALLERS.shortcode.encode()
PAID = golden.STK_PAID.replace(b"1.00", b"500.00").replace(b"254708374149", b"254712000001")
# Bodies that are about what there is here, and would move money as they stand.
FITTING_STK = (
    PAID.replace(b"ws_CO_191220191020363925", b"ws_CO_1"),
    golden.STK_CANCELLED.replace(b"ws_CO_21072024125243250722943992", b"ws_CO_1"),
)
FITTING_C2B = tuple(
    golden.C2B.replace(b"600966", OURS).replace(b"Sample Transaction", account)
    for account in (b"0712000001", b"nobody")
)
FITTING_B2C = tuple(
    body.replace(of, b"CONVERSATION")
    for body, of in (
        (golden.B2C_PAID, b"53e3-4aa8-9fe0-8fb5e4092cdd3533373"),
        (golden.B2C_FAILED, b"53e3-4aa8-9fe0-8fb5e4092cdd3544366"),
    )
)
FITTING_STATUS = tuple(
    golden.STATUS.replace(b"600310", OURS)
    .replace(b"MBN31H462N", receipt)
    .replace(b'"300"', amount)
    .replace(b"Utility Account", account)
    for receipt, amount, account in (
        (TOLD.encode(), b'"6000"', b"MMF Account For Customer"),
        (b"SG632NMUAB", b'"100"', b"Utility Account"),
    )
)
RESULTS = (golden.BARE_PARAMETER, golden.STATUS, golden.STATUS_WITH_SPACES)
# What comes where. A `{}` is the secret of a question that is put to Safaricom just before.
DOORS = {
    f"/stk/{TOKEN}": (*FITTING_STK, golden.STK_PAID, golden.STK_WITH_BALANCE, golden.STK_CANCELLED),
    f"/stk/{UNKNOWN}": FITTING_STK,
    "/c2b/confirmation": (*FITTING_C2B, golden.C2B),
    "/c2b/validation": (*FITTING_C2B, golden.C2B),
    f"/b2c/{TOKEN}/result": (*FITTING_B2C, golden.B2C_PAID, golden.B2C_FAILED),
    f"/b2c/{TOKEN}/timeout": FITTING_B2C,
    "/status/{}/result": (*FITTING_STATUS, *RESULTS),
    "/status/{}/timeout": FITTING_STATUS,
    "/balance/{}/result": (golden.BALANCE, *RESULTS),
    "/balance/{}/timeout": (golden.BARE_PARAMETER,),
    "/reversal/{}/result": (golden.REVERSED, golden.NOT_REVERSED, golden.BARE_PARAMETER),
    "/reversal/{}/timeout": (golden.BARE_PARAMETER,),
}
QUESTIONS = {
    "status": ("withdrawal:1", f"paybill:{TOLD}", "paybill:nobody's"),
    "balance": (f"float:{CALLERS.shortcode}", "float:"),
    "reversal": ("reversal:1", "reversal:2"),
}


def places(node):
    """Every place in a body, as a container and a key of it."""
    keys = list(node) if isinstance(node, dict) else range(len(node))
    for key in keys:
        yield node, key
        if isinstance(node[key], dict | list):
            yield from places(node[key])


@some.composite
def spoilt(draw, bodies):
    """A body of Safaricom's with one thing left out, replaced, or there twice."""
    body = json.loads(draw(some.sampled_from(bodies)))
    node, key = draw(some.sampled_from(list(places(body))))
    how = draw(some.sampled_from(["left out", "replaced", "odd", "text", "twice"]))
    if how == "left out":
        del node[key]
    elif how == "text":
        node[key] = str(node[key])
    elif how == "twice" and isinstance(node, list):
        node.insert(draw(some.integers(0, len(node))), {**node[key], "Value": draw(JSONS)})
    elif how == "twice":  # a dictionary has one of each: the other is written beside it
        other = json.dumps({key: draw(JSONS)})[1:-1]
        return json.dumps(body).replace(f'"{key}":', f'{other}, "{key}":', 1).encode()
    else:
        node[key] = draw(JSONS) if how == "replaced" else STAND_IN
    return json.dumps(body).encode().replace(json.dumps(STAND_IN).encode(), draw(ODD))


BODIES = (
    JSONS.map(lambda each: json.dumps(each).encode())
    | ODD
    | some.binary(max_size=300)
    | some.integers(0, 1024 * 1024).map(lambda size: b"\xc3" * size)
    | some.sampled_from(sorted(CALLBACKS.values()))
)
CALLS = some.sampled_from(sorted(DOORS)).flatmap(
    lambda path: some.tuples(
        some.just(path),
        some.sampled_from(DOORS[path]) | spoilt(DOORS[path]) | spoilt(DOORS[path]) | BODIES,
    )
)


@dataclass
class Scene:
    """A deposit, a payout and payments in suspense, and what Safaricom may say of them."""

    house: object
    rail: object
    owner: object
    conversation: bytes
    questions: object

    def ask(self, kind: str, subject: str) -> str:
        """Put a question; return its answer's secret."""
        token = f"{next(self.questions):032x}"
        given = {
            "kind": inquiries.Kind(kind),
            "subject": subject,
            "token_hash": hashlib.sha256(token.encode()).digest(),
            "now": self.rail.now,
        }
        self.rail.worker(lambda session: inquiries.ask(session, **given))
        return token

    def says(self, path: str, body: bytes, about) -> int:
        """Let Safaricom say something; how it is answered."""
        if "{}" in path:
            kind = path.split("/")[1]
            path = path.format(self.ask(kind, about.choice(QUESTIONS[kind])))
        body = body.replace(b"CONVERSATION", self.conversation)
        headers = {"Content-Type": "application/json;charset=UTF-8"}
        url = f"/callbacks/d/{DOOR}{path}"
        return self.house.client.post(url, data=body, headers=headers).status_code

    def undone(self) -> list[int]:
        query = "SELECT id FROM inbox WHERE done_at IS NULL AND provider = 'mpesa'"
        return [row[0] for row in self.house.bank.rows(query)]

    def owned(self) -> int:
        """What its owner would have, had nothing come in and nothing gone out."""
        return self.house.bank.one(
            """
            SELECT (SELECT sum(a.balance) FROM accounts a JOIN subscribers s ON s.id = a.holder_id
                    WHERE s.msisdn = :owner)
                + (SELECT coalesce(sum(amount + fee + tariff), 0) FROM withdrawals
                   WHERE state = 'paid')
                - (SELECT coalesce(sum(amount), 0) FROM deposits WHERE state = 'settled')
                - (SELECT coalesce(sum(amount - fee), 0) FROM paybill_payments
                   WHERE state = 'credited')
            """,
            owner=self.owner.phone.msisdn,
        )

    def believed_too_much(self) -> list:
        """Payments above the limit that were credited, and were not those we asked about."""
        return self.house.bank.rows(
            "SELECT receipt, amount FROM paybill_payments"
            " WHERE state = 'credited' AND amount > 500000 AND receipt <> :told",
            told=TOLD,
        )


@pytest.fixture
def scene(house, wanjiru):
    house.safaricom.begin()
    with opened(house) as rail:
        rail.fund()
        deposit = rail.expect(wanjiru, 500_00)
        house.clock.passes(seconds=3)
        rail.begin(deposit)
        rail.prompted(deposit, "ws_CO_1")
        payout = rail.withdraw(wanjiru, 100_00)
        beginning = {"withdrawal": payout, "token_hash": DIGEST, "now": rail.now}
        rail.worker(partial(withdrawals.begin, **beginning))
        with house.databases["owner"].begin() as session:
            session.connection().exec_driver_sql("SET LOCAL session_replication_role = replica")
            session.connection().exec_driver_sql("UPDATE deposits SET token_hash = %s", (DIGEST,))
        rail.pay(TOLD, "0712000001", 6_000_00, confirmed=False)
        rail.pay(NOBODYS, "nobody", 300_00)
        conversation = house.bank.one("SELECT conversation FROM withdrawals")
        yield Scene(house, rail, wanjiru, conversation.encode(), count(1))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(call=CALLS, about=some.randoms(use_true_random=False))
def test_whatever_is_said_is_no_fault_and_moves_no_money_wrongly(scene, call, about):
    path, body = call
    owned, began = scene.owned(), time.process_time()
    answered = scene.says(path, body, about)
    assert answered in ((404,) if UNKNOWN in path else (200, 413))
    letters.understand(ids=scene.undone())
    assert scene.undone() == [], "it would be understood again and again"
    assert scene.house.bank.one("SELECT count(*) FROM inbox WHERE tries > 0") == 0
    assert scene.owned() == owned
    assert scene.believed_too_much() == []
    scene.house.bank.assert_balanced()
    assert time.process_time() - began < SECONDS_MAX


def test_as_they_stand_they_move_it(scene):
    """Else the test above would show little."""
    about = type("First", (), {"choice": staticmethod(lambda subjects: subjects[1])})
    said = [
        scene.says(path, DOORS[path][0], about)
        for path in (f"/stk/{TOKEN}", "/c2b/confirmation", "/status/{}/result")
    ]
    assert said == [200, 200, 200]
    letters.understand(ids=scene.undone())
    assert scene.owner.balance == kes(1_250_00 - 105_00 + 500_00 + 5_00 + 6_000_00)
    assert scene.rail.deposit_state(1) == "settled"
