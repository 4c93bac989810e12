"""The book against a simple model of it, and wrong books that the model finds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as play
from model import Account, Book
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import ledger
from core.ledger import Draft, Mode, Reason
from core.money import Currency

STEPS = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# On both sides of each balance, and of each bound.
amounts = st.one_of(st.integers(1, 30), st.integers(1, 300))


class Machine(RuleBasedStateMachine):
    """Does the same to both books, and looks for a difference after every step."""

    house = None

    def __init__(self) -> None:
        super().__init__()
        assert self.house is not None
        self.house.reset()
        self.book = Book()
        self.keys = 0
        with self.house.databases["owner"].begin() as session:
            for number in range(7):
                currency = Currency.USD if number in (5, 6) else Currency.KES
                minimum = {0: 0, 1: 0, 2: -2000, 5: 0}.get(number)
                maximum = {3: 20}.get(number)
                mode = Mode.RECORD if number in (4, 6) else Mode.AUTHORISE
                id_ = ledger.open_account(
                    session,
                    path=f"model:{number}",
                    currency=currency,
                    balance_min=minimum,
                    balance_max=maximum,
                    mode=mode,
                )
                self.book.accounts[id_] = Account(
                    currency.value, minimum, maximum, mode is Mode.RECORD
                )
        self.ids = sorted(self.book.accounts)

    def key(self, again: int) -> str:
        """A new key, or one of the last few."""
        if again and self.keys:
            return f"k{max(self.keys - again, 1)}"
        self.keys += 1
        return f"k{self.keys}"

    def legs(self, give, get, minor, fee, exchange) -> dict[int, int]:
        """Two accounts of shillings, sometimes a fee, sometimes dollars in the same journal."""
        shillings = self.ids[:5]
        a = shillings[give % 4]
        b = shillings[get % 4] if get % 4 != give % 4 else shillings[(get + 1) % 4]
        legs = {a: -(minor + fee), b: minor}
        if fee:
            legs[shillings[4]] = fee
        if exchange:
            legs |= {self.ids[5]: 7, self.ids[6]: -7}
        return legs

    drafts = st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 3),
            st.integers(0, 3),
            amounts,
            st.sampled_from([0, 0, 1, 5]),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )

    @rule(drafts=drafts)
    def post(self, drafts) -> None:
        told = []
        for again, *how in drafts:
            key, legs = self.key(again), self.legs(*how)
            if again == 1 and key in self.book.written:  # a true repeat, not a reused key
                legs = dict(self.book.written[key][0])
            told.append((key, legs))
        if len(told) > 2:
            told.append(told[-2])
        with self.house.databases["worker"].begin() as session:
            postings = ledger.post(
                session,
                drafts=[Draft(key, Reason.TRANSFER, legs) for key, legs in told],
                now=self.house.clock(),
            )
        found = [(posting.outcome, dict(posting.detail)) for posting in postings]
        assert found == self.book.post(told)

    @rule(off=st.sampled_from([-1, 1]), fee=st.integers(0, 1))
    def an_unbalanced_journal_is_refused_whole(self, off, fee) -> None:
        legs = self.legs(3, 2, 10, fee, True)
        self._is_refused(legs | {self.ids[2]: 10 + off})

    @rule(minor=amounts)
    def shillings_do_not_balance_dollars(self, minor) -> None:
        self._is_refused({self.ids[3]: -minor, self.ids[5]: minor})

    def _is_refused(self, legs) -> None:
        draft = Draft("off", Reason.TRANSFER, legs)
        try:
            with self.house.databases["worker"].begin() as session:
                ledger.post(session, drafts=[draft], now=self.house.clock())
        except DBAPIError as error:
            assert "does not sum to zero" in str(error)  # noqa: PT017 - pytest.raises is no failure
        else:
            raise AssertionError(legs)

    @rule()
    @precondition(lambda self: self.keys)
    def roll_up(self) -> None:
        with self.house.databases["worker"].begin() as session:
            ledger.roll_up(session, entries_max=3)

    @invariant()
    def both_books_are_the_same(self) -> None:
        with self.house.databases["owner"]() as session:
            for id_, account in self.book.accounts.items():
                path = f"model:{self.ids.index(id_)}"
                assert ledger.balance(session, path=path).minor == account.balance
                rows = session.execute(
                    text(
                        "SELECT version, amount, balance_after FROM entries"
                        " WHERE account_id = :id ORDER BY version"
                    ),
                    {"id": id_},
                ).all()
                if account.is_record:  # connections number theirs apart
                    assert sorted(row.amount for row in rows) == sorted(account.entries)
                else:
                    assert [row.amount for row in rows] == account.entries
                    assert [row.version for row in rows] == list(range(1, len(rows) + 1))
                    running = [sum(account.entries[: n + 1]) for n in range(len(account.entries))]
                    assert [row.balance_after for row in rows] == running
            keys = session.scalars(text("SELECT key FROM journals ORDER BY key")).all()
            assert sorted(keys) == sorted(self.book.written)


@pytest.fixture
def machine(house):
    Machine.house = house
    yield Machine
    house.reset()


def test_the_book_does_what_the_model_does(machine):
    play(machine, settings=STEPS)


# Each makes one thing wrong in a function of the book; the model must notice.
BUGS = {
    "the lower bound is off by one": (
        "post",
        "IF held[at_leg] < minima[at_leg]",
        "IF held[at_leg] < minima[at_leg] - 1",
    ),
    "the upper bound is not looked at": ("post", "> maxima[at_leg] THEN", "> 1e18 THEN"),
    "what is available is off by one": (
        "post",
        "THEN held[at_leg] - p_leg_amounts[leg] - minima[at_leg]",
        "THEN held[at_leg] - p_leg_amounts[leg] - minima[at_leg] + 1",
    ),
    "a repeat is posted again": (
        "post",
        "ELSIF p_keys[i] = ANY (written) THEN",
        "ELSIF false THEN",
    ),
    "a lone repeat is refused for want of money": (
        "post",
        "IF refusal IS NOT NULL OR NOT FOUND THEN",
        "IF refusal IS NULL AND NOT FOUND THEN",
    ),
    "a repeat within the call is posted again": (
        "post",
        "IF p_keys[i] = ANY (keys_new) THEN",
        "IF false THEN",
    ),
    "an amount in seven is a cent more": (
        "post",
        "held[at_leg] := held[at_leg] + p_leg_amounts[leg];",
        (
            "held[at_leg] := held[at_leg] + p_leg_amounts[leg]"
            " + CASE WHEN p_leg_amounts[leg] % 7 = 0 THEN 1 ELSE 0 END;"
        ),
    ),
    "a version is skipped": (
        "post",
        "versions[at_leg] := versions[at_leg] + 1;",
        "versions[at_leg] := versions[at_leg] + 1 + (journal % 5 = 0)::int;",
    ),
    "a refused draft keeps what its legs did": (
        "post",
        "held[at_leg] := held[at_leg] - p_leg_amounts[leg];",
        "",
    ),
    "what is posted alone may go too far": (
        "post_alone",
        "p_amounts[leg] < a.balance_min",
        "p_amounts[leg] < a.balance_min - 1",
    ),
    "what is not posted alone is not moved back": (
        "post_alone",
        "SET balance = a.balance - p_amounts[array_position(p_accounts, a.id)]",
        "SET balance = a.balance",
    ),
    "what is posted alone is numbered as nobody counts": (
        "post_alone",
        "version = a.version + 1",
        "version = a.version + 2",
    ),
    "what is recorded alone is not kept to be rolled up": (
        "post_alone",
        "versions[record_leg], p_amounts[record_leg]);",
        "versions[record_leg], p_amounts[record_leg] + 1);",
    ),
    "what is posted alone may be of two currencies": (
        "post_alone",
        "IF leg_currency <> currency OR ",
        "IF ",
    ),
    "what is posted alone may be posted again": (
        "post_alone",
        "IF journal IS NULL THEN",
        "IF journal IS NULL AND NOT is_plain THEN",
    ),
    "currencies are summed up together": (
        "post",
        "OR EXISTS (",
        "OR false AND EXISTS (",
    ),
    "what is rolled up is forgotten": (
        "roll_up",
        "UPDATE accounts a SET balance = a.balance + s.amount",
        "UPDATE accounts a SET balance = a.balance",
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_is_found(machine, bug):
    function, right, wrong = BUGS[bug]
    bank = machine.house.bank
    definition = bank.one(f"SELECT pg_get_functiondef('{function}'::regproc)")
    assert definition.count(right) >= 1, f"{function} is written otherwise by now: {right}"
    with machine.house.databases["owner"].begin() as session:
        session.execute(text(definition.replace(right, wrong, 1)))
    try:
        with pytest.raises((AssertionError, DBAPIError, BaseExceptionGroup)):
            play(machine, settings=STEPS)
    finally:
        with machine.house.databases["owner"].begin() as session:
            session.execute(text(definition))
