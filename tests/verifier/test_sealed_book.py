"""Whatever a superuser changes in a sealed book, the auditor's program finds."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from verifier_of import audited

from core import ledger, reversals
from core.audit import Actor
from core.ledger import Draft, Reason

LOG = ("leaves", "positions", "subtrees", "blocks", "checkpoints")
# Of each table every column, and how it is changed. `None`: it is not part of the record.
CHANGES = {
    "journals": {
        "id": "id = id + 1000",
        "key": "key = key || 'x'",
        "reason": "reason = 'reversal'",
        "reference": "reference = 'TAMPERED00'",
        "posted_at": "posted_at = posted_at + interval '1 microsecond'",
    },
    "entries": {
        "account_id": "account_id = account_id + 1000",
        "version": "version = version + 1000",
        "journal_id": "journal_id = journal_id + 1000",
        "amount": "amount = amount * 2",
        "balance_after": "balance_after = coalesce(balance_after, 0) + 1",
    },
    "accounts": {
        "id": "id = id + 1000",
        "path": "path = path || 'x'",
        "currency": "currency = 'USD'",
        "mode": "mode = CASE mode WHEN 'record' THEN 'authorise' ELSE 'record' END::account_mode",
        "balance": "balance = balance + 1",
        "balance_min": None,  # what an account may hold is a rule of today, not a record
        "balance_max": None,
        "version": "version = version + 1",
        "holder_id": "holder_id = NULL",
    },
    "leaves": {
        "journal_id": "journal_id = journal_id + 1000",
        "data": "data = data || ' '::bytea",
        "kept": "kept = set_byte(kept, 0, 122)",
        "hash": "hash = sha256(hash)",
    },
    "positions": {
        "position": "position = position + 1000",
        "journal_id": "journal_id = journal_id + 1000",
    },
    "subtrees": {
        "level": "level = 16",
        "position": "position = position + 1",
        "hash": "hash = sha256(hash)",
    },
    "blocks": {
        "number": "number = number + 1000",
        "first": "first = first + 1000",
        "count": "count = count % 50 + 1",
        "root": "root = sha256(root)",
        "sealed_at": "sealed_at = sealed_at + interval '1 microsecond'",
    },
    "checkpoints": {
        "size": "size = size + 1",
        "note": "note = replace(note, 'signed 1', 'signed 2')",
    },
    "reversals": {
        "original_id": "original_id = original_id + 1",
        "journal_id": "journal_id = NULL",
    },
    "unrolled": {"amount": "amount = amount + 1"},
}
# What is emptied must not pass for what is not there.
EMPTIED = [
    ("journals", "key", "key = ''"),
    ("journals", "reason", "reason = ''"),
    ("entries", "balance_after", "balance_after = NULL"),
    ("accounts", "path", "path = ''"),
    ("leaves", "data", "data = ''"),
    ("leaves", "kept", "kept = ''"),
    ("leaves", "hash", "hash = ''"),
    ("blocks", "root", "root = ''"),
    ("checkpoints", "note", "note = ''"),
]
CASES = [
    *(
        (table, column, change)
        for table, columns in CHANGES.items()
        for column, change in columns.items()
        if change is not None
    ),
    *EMPTIED,
]


@pytest.fixture(scope="module")
def book(built):
    """A book with transfers, fees, a reversal and 300 other journals, sealed in two rounds."""
    built.reset()
    wanjiru = built.register("+254712000001", name="Wanjiru", balance="1,250")
    built.register("+254733000002", name="Otieno", balance="10")
    wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
    rolled = built.databases["worker"]
    with rolled.begin() as session:
        assert ledger.roll_up(session)
    built.sealer.once()
    wanjiru.phone.dial().types("1", "0733000002", "150", "4071")
    [(sender, reference)] = built.bank.rows(
        "SELECT subscriber_id, reference FROM orders ORDER BY id LIMIT 1"
    )
    with rolled.begin() as session:
        asked = {"subscriber": sender, "reference": reference, "now": built.clock()}
        reversal = reversals.request(
            session, actor=Actor("Wanjiru", "desk", "r1"), reason="wrong number", **asked
        )
        staff = Actor("staff", "desk", "r2")
        reversals.approve(session, reversal=reversal, actor=staff, note="so", now=built.clock())
        a, b = session.scalars(text("SELECT account_id FROM subscribers ORDER BY id"))
        drafts = [Draft(f"{n}", Reason.TRANSFER, {a: -1, b: 1}) for n in range(300)]
        ledger.post(session, drafts=drafts, now=built.clock())
    while built.sealer.once():
        pass
    yield built
    built.reset()


def every_column(book, table):
    named = "SELECT column_name FROM information_schema.columns WHERE table_name = :t"
    return set(book.bank.rows(named, t=table))


def test_an_honest_book_is_found_honest(book):
    ran = audited(book)
    assert (ran.returncode, ran.stderr) == (0, "")
    sealed = book.bank.one("SELECT count(*) FROM journals")
    assert ran.stdout.startswith(f"{sealed} journals, all as they were sealed; 0 not sealed yet.")
    assert "NOT" not in ran.stdout


def test_lines_that_a_crash_cut_short_are_passed_over_and_counted(book):
    """As `core.seal_outside` leaves them; what was published whole is compared all the same."""
    published = book.outside / "checkpoints.jsonl"
    said = published.read_bytes()
    first, *rest = said.splitlines()
    try:
        for cut in (first[: len(first) // 2], b"9", b'"\xe2\x80'):
            published.write_bytes(b"\n".join([first, cut, *rest, cut]))
            ran = audited(book)
            assert (ran.returncode, ran.stderr) == (0, "")
            assert "2 cut lines of FILE were passed over." in ran.stdout
        unsigned = rest[-1].replace(b"signed 1", b"signed 2")
        assert unsigned != rest[-1]
        published.write_bytes(b"\n".join([first[:9], unsigned]))
        assert "it is not signed" in audited(book).stdout
    finally:
        published.write_bytes(said)
    assert "cut lines" not in audited(book).stdout


@pytest.mark.parametrize("table", [t for t in CHANGES if t not in ("reversals", "unrolled")])
def test_no_column_is_forgotten(book, table):
    assert {(column,) for column in CHANGES[table]} == every_column(book, table)


@pytest.mark.parametrize(("table", "column", "statement"), CASES)
def test_a_change_of_any_field_is_found(book, table, column, statement):
    """Of one row, in the middle of the table."""
    rows = "path LIKE 'user:1:%'" if table == "accounts" else "true"
    book.bank.run(f"CREATE TABLE before_it AS SELECT * FROM {table}")
    book.bank.run(
        f"CREATE TABLE changed AS SELECT * FROM {table} WHERE {rows} ORDER BY 1, 2"
        f" OFFSET (SELECT count(*) / 2 FROM {table} WHERE {rows}) LIMIT 1"
    )
    try:
        with book.bank.owner.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            one = f"DELETE FROM {table} t USING changed c WHERE t = ROW(c.*)::{table}"
            assert session.execute(text(one)).rowcount == 1
            was = f"SELECT md5(string_agg({table}::text, ',')) FROM changed {table}"
            before = session.scalar(text(was))
            assert session.execute(text(f"UPDATE changed SET {statement}")).rowcount == 1
            assert session.scalar(text(was)) != before, "nothing was changed"
            session.execute(
                text(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM changed")
            )
        ran = audited(book)
        assert ran.returncode == 1, f"{table}.{column} was changed, and nobody noticed"
        assert "this is not the book that was sealed" in ran.stdout, ran.stderr
    finally:
        with book.bank.owner.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(text(f"DELETE FROM {table}"))
            session.execute(
                text(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM before_it")
            )
            session.execute(text("DROP TABLE before_it, changed"))


# As somebody leaves balances who has cut off entries and wants nobody to notice.
BALANCED = """
    UPDATE accounts a SET
        version = CASE mode WHEN 'record' THEN 0
            ELSE (SELECT count(*) FROM entries e WHERE e.account_id = a.id) END,
        balance = coalesce((SELECT sum(amount) FROM entries e WHERE e.account_id = a.id), 0)
            - coalesce((SELECT sum(amount) FROM unrolled u WHERE u.account_id = a.id), 0)
"""


def test_a_tail_that_is_cut_off_whole_is_found_by_what_was_published(book):
    """Journals, entries, balances and log as they were at the first checkpoint, to the byte."""
    sealed = book.bank.one("SELECT min(size) FROM checkpoints")
    tables = ("accounts", "journals", "entries", "unrolled", "reversals", *LOG)
    for table in tables:
        book.bank.run(f"CREATE TABLE saved_{table} AS TABLE {table}")
    cut = f"SELECT journal_id FROM positions WHERE position >= {sealed}"
    try:
        with book.bank.owner.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in (
                (
                    f"DELETE FROM unrolled u USING entries e WHERE e.journal_id IN ({cut})"
                    " AND (u.account_id, u.version) = (e.account_id, e.version)"
                ),
                f"DELETE FROM entries WHERE journal_id IN ({cut})",
                f"DELETE FROM reversals WHERE journal_id IN ({cut})",
                f"DELETE FROM journals WHERE id IN ({cut})",
                f"DELETE FROM leaves WHERE journal_id IN ({cut})",
                f"DELETE FROM positions WHERE position >= {sealed}",
                f"DELETE FROM blocks WHERE first >= {sealed}",
                f"DELETE FROM checkpoints WHERE size > {sealed}",
                f"DELETE FROM subtrees WHERE (position + 1) << level > {sealed}",
                BALANCED,
            ):
                session.execute(text(statement))
        ran = audited(book, published=False)
        assert (ran.returncode, "was NOT looked for" in ran.stdout) == (0, True)
        ran = audited(book)
        assert (ran.returncode, "leaves were sealed, there are" in ran.stdout) == (1, True)
    finally:
        with book.bank.owner.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for table in tables:
                session.execute(text(f"DELETE FROM {table}"))
                session.execute(
                    text(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE saved_{table}")
                )
                session.execute(text(f"DROP TABLE saved_{table}"))


@pytest.mark.parametrize(
    ("posted", "is_found"),
    [("now()", False), ("now() - interval '11 minutes'", True), ("'2099-01-01'", True)],
)
def test_a_journal_beside_the_log_waits_ten_minutes_and_no_longer(book, posted, is_found):
    """Also not when it says that it comes from the future."""
    fees = "SELECT id FROM accounts WHERE path = 'fees:transfer:kes'"
    two = "FROM generate_series(1, 2) n"
    try:
        with book.bank.owner.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in (
                (
                    "INSERT INTO journals (id, key, reason, posted_at) OVERRIDING SYSTEM VALUE"
                    f" VALUES (999999, 'beside', 'transfer', {posted})"
                ),
                f"INSERT INTO entries SELECT ({fees}), 999990 + n, 999999, 3 - 2 * n, NULL {two}",
                f"INSERT INTO unrolled SELECT ({fees}), 999990 + n, 3 - 2 * n {two}",
            ):
                session.execute(text(statement))
        ran = audited(book)
        assert (ran.returncode == 1) is is_found, ran.stdout
        assert ("journal 999999: " if is_found else "; 1 not sealed yet.") in ran.stdout
    finally:
        with book.bank.owner.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(text("DELETE FROM unrolled WHERE version > 999990"))
            session.execute(text("DELETE FROM entries WHERE journal_id = 999999"))
            session.execute(text("DELETE FROM journals WHERE id = 999999"))


def test_put_back_nothing_is_found_any_more(book):
    assert audited(book).returncode == 0
