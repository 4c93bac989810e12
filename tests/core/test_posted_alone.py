"""What is posted alone comes to what it comes to in a batch, whatever it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import until
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import chart, ledger
from core.ledger import Draft, Reason
from core.money import Currency

BOOK = """
    SELECT to_jsonb(x) FROM (
        SELECT a.id, a.balance, a.version, array(
            SELECT (e.amount, e.balance_after) FROM entries e JOIN journals j ON j.id = e.journal_id
            WHERE e.account_id = a.id AND j.key NOT LIKE 'company%' ORDER BY j.id
        )::text AS entries, array(
            SELECT u.amount FROM unrolled u WHERE u.account_id = a.id ORDER BY u.version
        ) AS unrolled
        FROM accounts a WHERE a.id = ANY (:ids)
        ORDER BY a.id
    ) x
"""


@pytest.fixture
def ids(house, wanjiru, otieno, amina):
    """She has 1,250, he nothing, one room for 100; fees and excise are records."""
    her, him, full = (house.bank.account_of(each.phone.msisdn) for each in (wanjiru, otieno, amina))
    house.bank.run("UPDATE accounts SET balance_max = balance + 10000 WHERE id = :id", id=full)
    fees = house.bank.one("SELECT id FROM accounts WHERE path = 'fees:transfer:kes'")
    with house.databases["owner"].begin() as session:
        excise = chart.EXCISE.open(session, currency=Currency.KES)
        dollars = chart.TRANSFER_FEES.open(session, currency=Currency.USD)
    return {"her": her, "him": him, "full": full, "fees": fees, "excise": excise, "usd": dollars}


ALONE = """
    SELECT post_alone(now(), 'odd', 'transfer', NULL,
        CAST(:accounts AS bigint[]), CAST(:amounts AS bigint[]))
"""
CASES = {
    "plain": {"her": -100, "him": 100},
    "the other way round": {"him": 100, "her": -100},
    "all she has": {"her": -125000, "him": 125000},
    "a cent more": {"her": -125001, "him": 125001},
    "he has nothing, and is the second": {"her": 1, "him": -1},
    "all there is room for": {"her": -10000, "full": 10000},
    "more than there is room for": {"her": -10001, "full": 10001},
    "a record": {"her": -100, "fees": 100},
    "a record first": {"fees": 100, "her": -100},
    "records, and several": {"her": -120, "fees": 15, "him": 100, "excise": 5},
    "from a record": {"fees": -100, "him": 100},
    "of a record too much": {"her": -125001, "fees": 125001},
    "two records alone": {"fees": -100, "excise": 100},
}


def come_to(house, ids, *drafts):
    """The first one's outcome and the book after it; nothing is kept."""
    with house.databases["owner"]() as session:
        found = ledger.post(session, drafts=drafts, now=house.clock())[0]
        book = session.scalars(text(BOOK), {"ids": list(ids.values())}).all()
        session.rollback()
    return found, book


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("before", ["nothing", "the same", "something else"])
def test_alone_as_in_company(house, ids, case, before):
    legs = {ids[name]: amount for name, amount in CASES[case].items()}
    draft = Draft("mine", Reason.TRANSFER, legs)
    if before != "nothing":
        other = {ids["her"]: -1, ids["him"]: 1} if before == "something else" else legs
        with house.databases["owner"].begin() as session:
            ledger.post(session, drafts=[Draft("mine", Reason.TRANSFER, other)], now=house.clock())
    others = (
        house.register("+254733000071", name="P", balance="10"),
        house.register("+254733000072", name="Q"),
    )
    a, b = (house.bank.account_of(each.phone.msisdn) for each in others)
    company = Draft("company", Reason.TRANSFER, {a: -1, b: 1})
    assert come_to(house, ids, draft) == come_to(house, ids, draft, company)


@pytest.mark.parametrize(
    ("legs", "said"),
    [
        ({"her": -100, "him": 99}, "does not sum to zero"),
        ({"her": -100, "fees": 99}, "does not sum to zero"),
        ({"her": -100, "usd": 100}, "does not sum to zero"),
        ({"her": -100, "nobody": 100}, "does not exist"),
    ],
)
def test_what_no_caller_may_ask_for_is_an_error(house, ids, legs, said):
    draft = Draft("off", Reason.TRANSFER, {ids.get(who, 10**12): n for who, n in legs.items()})
    with pytest.raises(DBAPIError, match=said):
        come_to(house, ids, draft)


@pytest.mark.parametrize(
    ("amounts", "ends"), [([-5, 1000, -995], [2]), ([-5, 5], [1])], ids=["more amounts", "an end"]
)
def test_nor_is_what_only_sql_can_ask_for_posted(house, ids, amounts, ends):
    call = (
        "SELECT outcome FROM post(now(), '{odd}', '{transfer}', '{NULL}', '{NULL}', '{NULL}',"
        " CAST(:ends AS integer[]), CAST(:accounts AS bigint[]), CAST(:amounts AS bigint[]))"
    )
    given = {"ends": ends, "accounts": [ids["her"], ids["him"]], "amounts": amounts}
    with (
        house.databases["worker"]() as session,
        pytest.raises(DBAPIError, match="does not sum to zero"),
    ):
        session.execute(text(call), given)


@pytest.mark.parametrize(
    ("accounts", "amounts", "said"),
    [
        (["high", "low"], [5, -5], "come in id order, each once"),
        (["low", "low"], [5, -5], "come in id order, each once"),
        (["low", "high"], [-5, 5, 0], "null value"),
        (["low", "high"], [-5], "null value"),
        (["low", "high"], [0, 0], "ck_entries_amount"),
    ],
    ids=["out of order", "twice", "more amounts", "an amount too few", "nothing"],
)
def test_nor_alone(house, ids, accounts, amounts, said):
    low, high = sorted((ids["her"], ids["him"]))
    given = {"low": low, "high": high}
    with (
        house.databases["worker"]() as session,
        pytest.raises(DBAPIError, match=said),
    ):
        session.execute(text(ALONE), {"accounts": [given[a] for a in accounts], "amounts": amounts})


@pytest.mark.parametrize("accounts", [[], [10**12], [10**12, 10**12 + 1]])
def test_what_is_of_no_account_is_not_posted_alone(house, accounts):
    with house.databases["worker"]() as session:
        given = {"accounts": accounts, "amounts": [0 for _ in accounts]}
        assert session.scalar(text(ALONE), given) is None
        assert session.scalar(text("SELECT count(*) FROM journals WHERE key = 'odd'")) == 0


def test_one_that_will_be_refused_is_waited_for_before_others_are_locked(house, ids):
    """Its account has the lower id, and somebody else has it: the higher one is still free."""
    low, high = sorted((ids["her"], ids["him"]))
    draft = Draft("mine", Reason.TRANSFER, {low: -9_000_000, high: 9_000_000})
    lock = text("SELECT FROM accounts WHERE id = :id FOR NO KEY UPDATE NOWAIT")
    waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    def post():
        with house.databases["worker"].begin() as session:
            return ledger.post(session, drafts=[draft], now=house.clock())[0]

    with ThreadPoolExecutor(1) as pool:
        with house.databases["owner"].begin() as holder:
            holder.execute(lock, {"id": low})
            posting = pool.submit(post)
            until(lambda: house.bank.one(str(waits)) == 1)
            with house.databases["owner"].begin() as other:
                other.execute(lock, {"id": high})
        assert posting.result().outcome == "insufficient-funds"


@pytest.mark.parametrize("accounts", [0, 20, 20_000])
def test_one_plan_serves_few_accounts_and_many(house, ids, accounts):
    """It is kept as long as a connection: made when they were few, it must not read them all."""
    with house.databases["owner"]() as session:
        session.execute(
            text(
                "INSERT INTO accounts (path, currency)"
                " SELECT 'x:' || n, 'KES' FROM generate_series(1, :n) n"
            ),
            {"n": accounts},
        )
        session.execute(text("ANALYZE accounts"))
        definition = session.scalar(text("SELECT pg_get_functiondef('post_alone'::regproc)"))
        update = definition[definition.index("UPDATE accounts a") : definition.index("RETURNING")]
        update = update.replace("p_accounts[leg]", "$1").replace("p_amounts[leg]", "$2")
        for setting in ("plan_cache_mode TO 'force_generic_plan'", "enable_seqscan TO 'off'"):
            assert f"SET {setting}" in definition
            session.execute(text(f"SET LOCAL {setting}"))
        raw = session.connection().connection.cursor()
        raw.execute(f"PREPARE moved (bigint, bigint) AS {update}")
        raw.execute("EXPLAIN (COSTS off) EXECUTE moved (2, 1)")
        plan = "\n".join(line for (line,) in raw.fetchall())
        raw.execute("DEALLOCATE moved")
        session.rollback()
    assert "pk_accounts" in plan
    assert "Index Cond: (id = $1)" in plan
