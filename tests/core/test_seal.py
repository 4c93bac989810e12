"""Sealing on a real PostgreSQL: every journal once, nothing skipped, signed and said outside."""

from __future__ import annotations

import base64
import json
import threading
import time

import psycopg2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import ledger, seal, seal_log, seal_notes, seal_tree
from core.ledger import Draft, Reason
from core.seal import Anchor, Sealer
from core.seal_notes import Checkpoint, Signer
from core.seal_outside import Outside

SEED = base64.b64encode(bytes(range(32))).decode()


def account(house, person) -> int:
    return house.bank.account_of(person.phone.msisdn)


def post(house, a, b, *keys):
    drafts = [Draft(key, Reason.TRANSFER, {a: -1, b: 1}, reference=f"R{key}") for key in keys]
    with house.databases["worker"].begin() as session:
        ledger.post(session, drafts=drafts, now=house.clock())


def fresh(house) -> Sealer:
    """A sealer that has just been started."""
    outside = Outside(house.outside)
    return Sealer(house.databases["worker"], Signer("kabambe.test", SEED), outside, house.clock)


@pytest.fixture
def two(house, wanjiru, otieno):
    return account(house, wanjiru), account(house, otieno)


def heads(house) -> list[Checkpoint]:
    return [Checkpoint.read(note) for (note,) in house.bank.rows("SELECT note FROM checkpoints")]


def published(house) -> list[Checkpoint]:
    lines = (house.outside / "checkpoints.jsonl").read_text().splitlines()
    return [Checkpoint.read(json.loads(line)) for line in lines]


def test_every_journal_is_sealed_once_in_blocks_of_fifty(house, two):
    post(house, *two, *(str(number) for number in range(120)))
    sealer = fresh(house)
    count = house.bank.one("SELECT count(*) FROM journals")
    assert sealer.once() == count == 121
    assert sealer.once() == 0
    assert house.bank.rows("SELECT number, first, count FROM blocks ORDER BY 1") == [
        (0, 0, 50),
        (1, 50, 50),
        (2, 100, 21),
    ]
    post(house, *two, "more")
    assert fresh(house).once() == 1
    assert house.bank.rows("SELECT number, first, count FROM blocks WHERE number > 2") == [
        (3, 121, 1)
    ]
    leaves = [
        bytes(each)
        for (each,) in house.bank.rows(
            "SELECT hash FROM leaves JOIN positions USING (journal_id) ORDER BY position"
        )
    ]
    for head in heads(house):
        assert head.root == seal_tree.root(leaves[: head.size])
    for first, count, root in house.bank.rows("SELECT first, count, root FROM blocks"):
        assert bytes(root) == seal_tree.root(leaves[: first + count])
    assert published(house) == sorted(heads(house), key=lambda head: head.size)


def test_a_leaf_says_what_was_posted_and_nobodys_balance(house, two):
    a, b = two
    post(house, a, b, "one")
    fresh(house).once()
    journal = house.bank.one("SELECT id FROM journals WHERE key = 'one'")
    [(data, kept, hashed)] = house.bank.rows(
        "SELECT data, kept, hash FROM leaves WHERE journal_id = :j", j=journal
    )
    data, kept = bytes(data).decode().split("|"), bytes(kept).decode()
    at = seal_notes.microseconds(house.clock())
    moved = f"{a} KES -1,{b} KES 1"
    assert data[:7] == ["kabambe/1", str(journal), "transfer", "Rone", str(at), "-", moved]
    assert seal_tree.leaf_hash("|".join(data).encode()) == bytes(hashed)
    salt, left, key = kept.split("|")
    assert (len(salt), key) == (32, "one")
    assert left == "user:1:main:kes 1 2 124999,user:2:main:kes 2 1 1"


def test_a_reversal_names_what_it_mirrors(house, two, wanjiru):
    post(house, *two, "other")
    other = house.bank.one("SELECT id FROM journals WHERE key = 'other'")
    wanjiru.phone.dial().types("1", "0733000002", "100", "4071")
    house.bank.run(
        "INSERT INTO reversals"
        " (original_id, order_id, requested_by, reason, requested_at, journal_id)"
        " SELECT j.id, o.id, 'a', 'b', now(), :other"
        " FROM orders o JOIN journals j ON j.key = o.key",
        other=other,
    )
    fresh(house).once()
    [(data,)] = house.bank.rows("SELECT data FROM leaves WHERE journal_id = :j", j=other)
    one = house.bank.one("SELECT original_id FROM reversals")
    assert bytes(data).split(b"|")[5] == str(one).encode()


def later(sealer):
    """Let time pass for a sealer."""
    sealer._settled.marked_at -= seal._SETTLED_SECONDS
    sealer._settled.looked_at -= seal._SETTLED_SECONDS


def test_a_journal_that_commits_late_is_not_skipped(house, two):
    a, b = two
    sealer = fresh(house)
    sealer.once()
    with house.databases["worker"].begin() as late:
        ledger.post(late, drafts=[Draft("late", Reason.TRANSFER, {a: -1, b: 1})], now=house.clock())
        other = house.register("+254712000009", name="Zuri", balance="5")
        assert account(house, other)
        later(sealer)
        assert sealer.once() == 1
        later(sealer)
        assert sealer.once() == 0
        late_id = late.scalar(text("SELECT id FROM journals WHERE key = 'late'"))
        assert house.bank.one("SELECT max(id) FROM journals") > late_id
        assert sealer._settled.below < late_id
    later(sealer)
    assert sealer.once() == 1
    newest = house.bank.one("SELECT max(id) FROM journals")
    patience = time.monotonic() + 30  # transactions of other databases on this server count, too
    while sealer._settled.below < newest and time.monotonic() < patience:
        later(sealer)
        sealer.once()
        time.sleep(0.01)
    assert sealer._settled.below == newest


def test_many_sealers_at_once_make_one_log(house, two):
    post(house, *two, *(str(number) for number in range(300)))
    sealers = [fresh(house) for _ in range(6)]
    added = []
    threads = [
        threading.Thread(target=lambda each=each: added.append(each.once())) for each in sealers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == 301
    assert [head.size for head in published(house)] == [301]


@pytest.mark.parametrize("after", ["positions", "blocks", "checkpoints"])
def test_killed_in_the_middle_it_leaves_nothing_behind(house, two, after, monkeypatch):
    """The server ends the sealer's connection while it writes."""
    post(house, *two, "one")
    write = seal._write

    def killed(session, into, rows, types):
        write(session, into, rows, types)
        if into.startswith(after):
            pid = session.scalar(text("SELECT pg_backend_pid()"))
            house.bank.one("SELECT pg_terminate_backend(:pid)", pid=pid)

    monkeypatch.setattr(seal, "_write", killed)
    with pytest.raises((DBAPIError, psycopg2.Error)):
        fresh(house).once()
    assert house.bank.one("SELECT count(*) FROM positions") == 0
    assert not list(house.outside.iterdir())
    monkeypatch.undo()
    assert fresh(house).once() == 2


def test_killed_before_it_is_said_it_is_said_by_the_next(house, two, monkeypatch):
    sealer = fresh(house)
    monkeypatch.setattr(Outside, "say", lambda *_: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        sealer.once()
    monkeypatch.undo()
    assert [head.size for head in heads(house)] == [1]
    assert fresh(house).once() == 0
    assert published(house) == heads(house)


def test_a_line_cut_short_is_passed_over(house, two):
    fresh(house).once()
    with (house.outside / "checkpoints.jsonl").open("a") as file:
        file.write('"kabambe.test\\n9')
    post(house, *two, "one")
    assert Outside(house.outside).newest() == heads(house)[0]
    assert fresh(house).once() == 1
    assert Outside(house.outside).newest().size == 2


def test_checkpoints_are_signed_with_the_key_that_is_published(house, two):
    fresh(house).once()
    origin, hint, key = (house.outside / "key").read_text().strip().split("+", 2)
    [head] = heads(house)
    body, _, signature = head.note.partition("\n\n")
    assert body.split("\n")[0] == origin == "kabambe.test"
    signed = base64.b64decode(signature.split(" ")[2])
    assert signed[:4].hex() == hint
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
    public.verify(signed[4:], f"{body}\n".encode())


def test_proofs_read_little_and_hold_at_every_size(house, two):
    sealer, made = fresh(house), 1
    for size in (1, 255, 256, 257, 300, 1300):
        if size > made:
            post(house, *two, *(f"{number}" for number in range(made, size)))
            made = size
        while sealer.once():
            pass
        with house.databases["worker"]() as session:
            head = seal_log.checkpoint(session)
            assert head.size == size
            [*wanted] = session.execute(
                text("SELECT position, hash FROM leaves JOIN positions USING (journal_id)")
            )
            leaves = [bytes(each.hash) for each in sorted(wanted)]
            for index in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
                path = seal_log.hashes(session, seal_tree.inclusion(index, size))
                assert seal_tree.includes(index, size, leaves[index], path, head.root)
            for older in heads(house):
                path = seal_log.hashes(session, seal_tree.consistency(older.size, size))
                assert seal_tree.grew(older.size, older.root, size, head.root, path)
    assert house.bank.one("SELECT count(*) FROM subtrees") == 1300 // 256


@pytest.mark.parametrize("table", ["leaves", "positions", "subtrees", "blocks", "checkpoints"])
@pytest.mark.parametrize("role", ["web", "worker", "owner"])
def test_the_log_is_append_only_for_everybody(house, two, table, role):
    post(house, *two, *(str(number) for number in range(300)))
    fresh(house).once()
    column = house.bank.one(
        "SELECT column_name FROM information_schema.columns WHERE table_name = :t LIMIT 1", t=table
    )
    for change in (
        f"UPDATE {table} SET {column} = {column}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
    ):
        with pytest.raises(DBAPIError) as refused, house.databases[role].begin() as session:
            session.execute(text(change))
        wanted = "append-only" if role == "owner" else "permission denied"
        assert wanted in str(refused.value.orig)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("worker", "INSERT INTO leaves VALUES (1, '', '', '')"),
        ("web", "INSERT INTO positions VALUES (1, 1)"),
        ("web", "INSERT INTO checkpoints VALUES (1, '')"),
        ("web", "SELECT kept FROM leaves"),
        ("web", "SELECT make_leaves('{1}')"),
        ("web", "SELECT leaf_of(1)"),
    ],
)
def test_no_role_may_do_more_than_its_work(house, role, statement):
    with (
        pytest.raises(DBAPIError, match="permission denied"),
        house.databases[role].begin() as session,
    ):
        session.execute(text(statement))


def test_a_seal_is_read_back_however_it_is_typed():
    leaf = bytes(range(240, 256)) + bytes(16)
    word = seal_notes.seal(leaf)
    assert len(word) == 16
    lowest, highest = seal_notes.seal_range(f" {word[:4].lower()}-{word[4:]} ")
    assert lowest <= leaf <= highest
    assert lowest[:10] == highest[:10] == leaf[:10]
    assert seal_notes.seal_range("0" * 15) is None
    assert seal_notes.seal_range("U" * 16) is None
    assert seal_notes.seal_range("OIL0" * 4) == seal_notes.seal_range("0110" * 4)


@pytest.mark.parametrize("seed", ["", "short", "x" * 44, base64.b64encode(bytes(31)).decode()])
def test_another_key_is_refused_in_words_that_hold_nothing_of_it(seed):
    with pytest.raises(ValueError, match="32 random bytes") as refused:
        Signer("x", seed)
    assert not seed or seed not in str(refused.value)


def test_a_log_is_signed_with_one_key(house, two, capfd):
    fresh(house).once()
    key = (house.outside / "key").read_text()
    post(house, *two, "one")
    other = base64.b64encode(bytes(32)).decode()
    for origin, seed in (("kabambe.test", other), ("kabambe.other", SEED)):
        signer = Signer(origin, seed)
        sealer = Sealer(house.databases["worker"], signer, Outside(house.outside), house.clock)
        assert sealer.once() == 0
        assert "seal.other_key" in capfd.readouterr().err
    assert (house.outside / "key").read_text() == key
    assert [head.size for head in heads(house)] == [1]
    assert fresh(house).once() == 1


class TestAnchor:
    def test_holds_where_nothing_was_said(self, house, two):
        with house.databases["worker"]() as session:
            assert Anchor(Outside(house.outside)).holds(session)

    def test_holds_where_the_first_checkpoint_could_not_be_said_yet(self, house, two, monkeypatch):
        say = Outside.say
        monkeypatch.setattr(Outside, "say", lambda *_: (_ for _ in ()).throw(OSError("disk")))
        sealer = fresh(house)
        for number in range(3):  # and no second is made before it is
            post(house, *two, str(number))
            with pytest.raises(OSError, match="disk"):
                sealer.once()
        assert [head.size for head in heads(house)] == [2]
        with house.databases["worker"]() as session:
            assert Anchor(Outside(house.outside)).holds(session)
        monkeypatch.setattr(Outside, "say", say)
        while sealer.once() or len(published(house)) < 2:
            pass
        assert [head.size for head in published(house)] == [2, 4]

    def test_an_empty_folder_is_no_proof_that_nothing_was_lost(self, house, two, capfd):
        for number in range(2):
            post(house, *two, str(number))
            fresh(house).once()
        said = house.outside / "checkpoints.jsonl"
        words = said.read_text()
        said.unlink()
        post(house, *two, "more")
        with house.databases["worker"]() as session:
            assert not Anchor(Outside(house.outside)).holds(session)
        assert fresh(house).once() == 0
        assert not said.exists(), "what is not understood is not said over"
        assert "none is published where we look" in capfd.readouterr().err
        # As the runbook says it again.
        notes = house.bank.rows("SELECT to_json(note)::text FROM checkpoints ORDER BY size")
        said.write_text("".join(f"{note}\n" for (note,) in notes))
        assert [json.loads(line) for line in said.read_text().splitlines()] == [
            json.loads(line) for line in words.splitlines()
        ]
        assert fresh(house).once() == 1

    def test_what_is_not_understood_lets_nobody_post(self, house, two):
        (house.outside / "checkpoints.jsonl").write_text("rubbish\n")
        with house.databases["worker"]() as session:
            assert not Anchor(Outside(house.outside)).holds(session)
