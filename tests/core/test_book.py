"""The book on a real PostgreSQL: posting in batches, append-only, and who may do what."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import chart, db, ledger, orders
from core.ledger import Draft, Reason
from core.money import Currency
from core.orders import KeyReused, Kind


def posted(house, *drafts, role="worker"):
    with house.databases[role].begin() as session:
        return ledger.post(session, drafts=drafts, now=house.clock())


def account(house, person) -> int:
    return house.bank.account_of(person.phone.msisdn)


def fees(house) -> int:
    return house.bank.one("SELECT id FROM accounts WHERE path = 'fees:transfer:kes'")


def test_a_batch_has_an_outcome_for_each(house, wanjiru, otieno):
    a, b = account(house, wanjiru), account(house, otieno)
    outcomes = posted(
        house,
        Draft("one", Reason.TRANSFER, {a: -1000_00, b: 1000_00}),
        Draft("two", Reason.TRANSFER, {a: -300_00, b: 300_00}),
        Draft("three", Reason.TRANSFER, {b: -400_00, a: 400_00}),
        Draft("one", Reason.TRANSFER, {a: -1000_00, b: 1000_00}),
    )
    assert [each.outcome for each in outcomes] == [
        "posted",
        "insufficient-funds",
        "posted",
        "exists",
    ]
    assert outcomes[1].detail == {"available": 250_00}
    assert outcomes[2].balance_after(a) == 650_00
    assert house.bank.balance_of(otieno.phone.msisdn) == 600_00


def test_a_lone_draft_that_was_posted_is_no_refusal(house, wanjiru, otieno):
    a, b = account(house, wanjiru), account(house, otieno)
    all_of_it = house.bank.balance_of(wanjiru.phone.msisdn)
    draft = Draft("all", Reason.TRANSFER, {a: -all_of_it, b: all_of_it})
    assert [each.outcome for each in posted(house, draft)] == ["posted"]
    [again] = posted(house, draft)
    assert again.outcome == "exists"
    assert again.balance_after(a) == 0
    [other] = posted(house, Draft("all", Reason.TRANSFER, {a: -1, b: 1}))
    assert (other.outcome, other.detail) == ("key-reused", {})
    [refused] = posted(house, Draft("more", Reason.TRANSFER, {a: -1, b: 1}))
    assert (refused.outcome, refused.detail) == ("insufficient-funds", {"available": 0})


def test_a_lone_key_is_written_once_whoever_brings_it(house, wanjiru, amina):
    """Two who share no account, and so no lock."""
    others = [house.register(f"+25473300001{number}", name="P") for number in range(2)]
    pairs = [
        (account(house, a), account(house, b))
        for a, b in zip((wanjiru, amina), others, strict=True)
    ]
    for round_ in range(20):
        drafts = [Draft(f"k{round_}", Reason.TRANSFER, {a: -1, b: 1}) for a, b in pairs]
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda draft: posted(house, draft)[0].outcome, drafts))
        assert sorted(found) == ["key-reused", "posted"]


def test_a_connection_that_goes_under_a_batch_is_given_up_and_the_batch_done_again(
    house, wanjiru, otieno
):
    a, b = account(house, wanjiru), account(house, otieno)
    broken = []

    def work(session):
        if not broken:
            pid = session.scalar(text("SELECT pg_backend_pid()"))
            house.bank.one("SELECT pg_terminate_backend(:pid)", pid=pid)
        try:
            draft = Draft("again", Reason.TRANSFER, {a: -100, b: 100})
            return ledger.post(session, drafts=[draft], now=house.clock())
        except DBAPIError as error:
            broken.append(error)
            raise

    [posting] = db.transact(house.databases["worker"], work)
    assert posting.outcome == "posted"
    [error] = broken
    assert error.connection_invalidated
    assert db.is_of_the_database(error)
    assert "again" not in str(error)  # an error report does not carry what was asked for


def test_the_database_refuses_what_does_not_balance(house, wanjiru, otieno):
    a, b = account(house, wanjiru), account(house, otieno)
    for legs in ({a: -100, b: 99}, {a: -100, b: 100, fees(house): 1}):
        with pytest.raises(DBAPIError, match="does not sum to zero"):
            posted(house, Draft("off", Reason.TRANSFER, legs), role="owner")
    with pytest.raises(DBAPIError, match="on an account that does not exist"):
        posted(house, Draft("off", Reason.TRANSFER, {a: -100, 999_999: 100}), role="owner")
    assert house.bank.one("SELECT count(*) FROM journals WHERE key = 'off'") == 0


def test_a_repeat_finds_the_balances_of_the_first_time(house, wanjiru, otieno):
    a, b = account(house, wanjiru), account(house, otieno)
    one = Draft("one", Reason.TRANSFER, {a: -1000_00, fees(house): 5_00, b: 995_00})
    [first] = posted(house, one)
    posted(house, Draft("two", Reason.TRANSFER, {b: -1_00, a: 1_00}))
    [again] = posted(house, one)
    assert (again.outcome, again.detail) == ("exists", first.detail)
    assert first.detail == {str(a): 250_00, str(b): 995_00}


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("INSERT INTO entries VALUES (1, 99, 1, 5, 5)", "does not sum to zero"),
        ("INSERT INTO entries VALUES (999, 1, 1, 5, 5), (998, 1, 1, -5, 5)", "do not exist"),
        ("INSERT INTO entries VALUES (1, 99, 777, 5, 5), (2, 99, 777, -5, 5)", "do not exist"),
        ("DELETE FROM accounts", "has entries"),
        ("TRUNCATE accounts CASCADE", "append-only"),
    ],
)
def test_the_owner_cannot_write_past_post(house, wanjiru, statement, why):
    with pytest.raises(DBAPIError, match=why):
        house.bank.run(statement)


def test_storms_in_both_directions_neither_deadlock_nor_lose_a_cent(house):
    people = [
        house.register(f"+2547120000{number:02}", name="P", balance="10,000") for number in range(6)
    ]
    ids = [account(house, person) for person in people]

    def storm(seed: int) -> None:
        chance = random.Random(seed)
        for number in range(15):
            drafts = []
            for item in range(4):
                source, target = chance.sample(ids, 2)
                amount = chance.randrange(1, 900_00)
                legs = {source: -amount - 1, target: amount, fees(house): 1}
                drafts.append(Draft(f"storm:{seed}:{number}:{item}", Reason.TRANSFER, legs))
            posted(house, *drafts)

    with ThreadPoolExecutor(8) as hands:
        list(hands.map(storm, range(8)))
    count = house.bank.one("SELECT count(*) FROM journals WHERE key LIKE 'storm:%'")
    assert count > 300
    assert sum(house.bank.balance_of(each.phone.msisdn) for each in people) == 60_000_00 - count


def test_record_accounts_are_rolled_up_once_even_by_two_at_once(house, wanjiru, otieno):
    a, b = account(house, wanjiru), account(house, otieno)
    for number in range(20):
        posted(house, Draft(f"fee:{number}", Reason.TRANSFER, {a: -101, b: 100, fees(house): 1}))
    assert house.bank.one("SELECT balance FROM accounts WHERE id = :i", i=fees(house)) == 0
    path = chart.TRANSFER_FEES.named(Currency.KES)
    with house.databases["worker"]() as session:
        assert ledger.balance(session, path=path).minor == 20

    def roll(_):
        with house.databases["worker"].begin() as session:
            return ledger.roll_up(session, entries_max=7)

    with ThreadPoolExecutor(4) as hands:
        assert sum(hands.map(roll, range(8))) == 20
    assert house.bank.one("SELECT balance FROM accounts WHERE id = :i", i=fees(house)) == 20


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journals SET reason = 'x'",
        "UPDATE entries SET amount = 7",
        "DELETE FROM journals",
        "DELETE FROM entries",
        "TRUNCATE journals CASCADE",
        "TRUNCATE entries CASCADE",
    ],
)
@pytest.mark.parametrize("role", ["web", "worker", "owner"])
def test_the_book_is_append_only_for_everybody(house, wanjiru, role, change):
    with pytest.raises(DBAPIError) as refused, house.databases[role].begin() as session:
        session.execute(text(change))
    wanted = "append-only" if role == "owner" else "permission denied"
    assert wanted in str(refused.value.orig)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("web", "SELECT post(now(), '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')"),
        ("web", "SELECT post_alone(now(), 'k', 'r', NULL, '{}', '{}')"),
        ("web", "SELECT roll_up(1)"),
        ("web", "UPDATE orders SET state = 'done'"),
        ("web", "UPDATE accounts SET balance = 1"),
        ("web", "INSERT INTO accounts (path, currency, balance) VALUES ('x', 'KES', 1)"),
        ("web", "INSERT INTO entries VALUES (1, 1, 1, 1, 1)"),
        ("web", "UPDATE limits SET day_max = 1"),
        ("web", "SELECT * FROM messages"),
        ("web", "UPDATE subscribers SET msisdn = 'x'"),
        ("web", "SELECT subject FROM audit_log"),
        ("worker", "SELECT * FROM pins"),
        ("worker", "INSERT INTO orders (key, state) VALUES ('x', 'done')"),
        ("worker", "UPDATE accounts SET balance = 1"),
        ("worker", "UPDATE fee_tiers SET flat = 0"),
        ("worker", "DELETE FROM unrolled"),
    ],
)
def test_no_role_may_do_more_than_its_work(house, role, statement):
    with (
        pytest.raises(DBAPIError, match="permission denied"),
        house.databases[role].begin() as session,
    ):
        session.execute(text(statement))


@pytest.mark.parametrize("role", ["web", "worker"])
@pytest.mark.parametrize(
    "account",
    [
        "'user:1:main:usd', 'USD', 'authorise', NULL, NULL, 1",
        "'user:1:main:usd', 'USD', 'authorise', -1000000, NULL, 1",
        "'user:1:main:usd', 'USD', 'record', 0, NULL, 1",
        "'user:1:main:usd', 'USD', 'authorise', 0, NULL, 2",
        "'user:1:main:usd', 'USD', 'authorise', 0, NULL, NULL",
        "'user:1:main:usd', 'BTC', 'authorise', 0, NULL, 1",
        "'user:1:owed:usd', 'USD', 'authorise', 0, NULL, 1",
        "'mine', 'USD', 'authorise', 0, NULL, 1",
    ],
)
def test_a_persons_account_is_as_the_chart_has_it(house, wanjiru, otieno, role, account):
    columns = "path, currency, mode, balance_min, balance_max, holder_id"
    with (
        pytest.raises(DBAPIError, match="not as the chart has it"),
        house.databases[role].begin() as session,
    ):
        session.execute(text(f"INSERT INTO accounts ({columns}) VALUES ({account})"))


def test_the_web_opens_no_account_that_is_nobodys(house):
    with (
        pytest.raises(DBAPIError, match="not as the chart has it"),
        house.databases["web"].begin() as session,
    ):
        session.execute(text("INSERT INTO accounts (path, currency) VALUES ('mine', 'KES')"))


def test_nobody_registers_with_an_account_that_is_not_their_own(house, wanjiru):
    with (
        pytest.raises(DBAPIError, match="not the main account of subscriber"),
        house.databases["web"].begin() as session,
    ):
        session.execute(
            text(
                "INSERT INTO subscribers (msisdn, name, language, account_id, terms_version,"
                " registered_at) VALUES ('+254799000001', 'X', 'en', :fees, 'x', now())"
            ),
            {"fees": fees(house)},
        )


def test_an_outcome_is_final(house, wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "100", "4071")
    with pytest.raises(DBAPIError, match="that is final"):
        house.bank.run("UPDATE orders SET state = 'refused'")


def test_a_key_means_one_thing(house, wanjiru, otieno):
    me = house.bank.one("SELECT id FROM subscribers WHERE name = 'Wanjiru'")

    def place(amount):
        with house.databases["web"].begin() as session:
            return orders.place(
                session,
                kind=Kind.TRANSFER,
                subscriber=me,
                args={"amount": amount},
                key="ussd:x:1",
                now=house.clock(),
            )

    with ThreadPoolExecutor(8) as hands:
        assert len({placed.id for placed in hands.map(place, [100] * 8)}) == 1
    with pytest.raises(KeyReused):
        place(101)
    house.bank.run("DELETE FROM orders")


def test_days_are_nairobis_and_hours_are_the_clocks(house, otieno, amina):
    house.register("+254712000009", name="Rich", balance="900,000")
    phone = house.phone("+254712000009")
    house.clock.now = house.clock.now.replace(hour=20, minute=30)  # 23:30 in Nairobi
    for number in ("0733000002", "0711000003"):
        phone.dial().types("1", number, "250,000", "4071")
    phone.dial().types("1", "0733000002", "100")
    assert phone.screen.startswith("Daily limit")
    house.clock.passes(minutes=31)  # 00:01: another day there, the same in London
    phone.dial().types("1", "0733000002", "100", "4071")
    assert phone.screen.startswith("Sent KES 100.00")
