"""
Reports and the ends of sends, in any order and however often, against a model of what must follow.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core import delivery_reports, messages
from core.delivery_reports import State
from core.outbox import Event, Fact, stage

MESSAGES = 3
REPORTED = [State.SENT, State.FAILED, State.DELIVERED]
ANSWER = "answer"

_numbers = itertools.count()


def claimed(house, count):
    """So many messages, claimed and called for, whose answers are still out."""
    now = house.clock()
    fact = Fact(Event.PIN_CHANGED, "+254712000001", "en", {"at": now.isoformat()})
    with house.databases["worker"].begin() as session:
        stage(session, facts=[fact] * count, now=now)
    newest = house.bank.rows("SELECT id FROM outbox ORDER BY id DESC LIMIT :count", count=count)
    with house.databases["worker"].begin() as session:
        return [messages.begin(session, outbox_id=each, now=now) for (each,) in newest]


def happen(house, message, provider_id, what):
    now = house.clock()
    with house.databases["worker"].begin() as session:
        if what == ANSWER:
            messages.sent(
                session, message=message, provider_id=provider_id, parts=1, cost=None, now=now
            )
        else:
            messages.report(
                session, provider_id=provider_id, state=what, why=None, status=what, now=now
            )


def expected(happened):
    """
    The model: nothing is known of a message before its answer. From then on it is where its
    furthest report says, and delivered is further than failed, which is further than sent.
    """
    if ANSWER not in happened:
        return State.SENDING
    return max([State.SENT, *(each for each in happened if each != ANSWER)], key=REPORTED.index)


# An answer comes once or never; reports as often as they like, before it and after.
histories = st.lists(
    st.tuples(st.integers(0, MESSAGES - 1), st.sampled_from([ANSWER, *REPORTED])), max_size=14
).map(lambda steps: [s for n, s in enumerate(steps) if s[1] != ANSWER or s not in steps[:n]])


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories)
@example(history=[(0, State.DELIVERED), (0, ANSWER), (0, State.FAILED)])
@example(history=[(0, ANSWER), (0, State.FAILED), (0, State.DELIVERED), (0, State.SENT)])
def test_whatever_comes_in_whatever_order(house, history):
    name = next(_numbers)
    sent = claimed(house, MESSAGES)
    happened: list[list[str]] = [[] for _ in sent]
    reached: list[list[State]] = [[] for _ in sent]
    for which, what in history:
        happen(house, sent[which], f"ATXid_{name}_{which}", what)
        happened[which].append(what)
        found = house.bank.one("SELECT state FROM messages WHERE id = :id", id=sent[which].id)
        assert found == expected(happened[which])
        reached[which].append(State(found))
    for states in reached:
        assert states == sorted(states, key=[State.SENDING, *REPORTED].index)  # never back
    for which, each in enumerate(happened):
        reports = [what for what in each if what != ANSWER]
        kept = house.bank.one(
            "SELECT state FROM delivery_reports WHERE provider_id = :id",
            id=f"ATXid_{name}_{which}",
        )
        assert kept == (max(reports, key=REPORTED.index) if reports else None)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(reports=st.lists(st.sampled_from(REPORTED), min_size=1, max_size=6))
def test_all_of_it_at_once(house, reports):
    provider_id = f"ATXid_at_once_{next(_numbers)}"
    [message] = claimed(house, 1)
    steps = [*reports, ANSWER]
    with ThreadPoolExecutor(len(steps)) as hands:
        list(hands.map(lambda what: happen(house, message, provider_id, what), steps))
    found = house.bank.one("SELECT state FROM messages WHERE id = :id", id=message.id)
    assert found == expected(steps)


def test_every_state_knows_what_is_behind_it():
    assert State.DELIVERED not in State.FAILED.behind
    assert State.FAILED in State.DELIVERED.behind
    assert set(delivery_reports._RANK) == set(State)
