"""The log's public doors."""

from __future__ import annotations

import base64
import hashlib
import json

from core import seal_tree
from core.seal_notes import Checkpoint


def test_nothing_is_there_before_anything_was_sealed(house):
    for path in ("checkpoint", "key", "blocks/0", f"proof/{'0' * 16}", "proof/short"):
        assert house.client.get(f"/log/{path}").status_code == 404
    for path in ("blocks/-1", "blocks/x", f"blocks/{10**30}"):
        assert house.client.get(f"/log/{path}").status_code == 404


def test_what_was_said_outside_is_what_the_door_says(house, wanjiru):
    house.sealer.once()
    answer = house.client.get("/log/checkpoint")
    head = Checkpoint.read(answer.data.decode())
    assert head.size == 1
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    key = house.client.get("/log/key")
    assert key.data == (house.outside / "key").read_bytes()


def test_a_block_shows_its_leaves_and_the_root_at_its_end(house, wanjiru):
    house.sealer.once()
    answer = house.client.get("/log/blocks/0")
    block = answer.json
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    leaves = [base64.b64decode(leaf) for leaf in block["leaves"]]
    assert (block["number"], block["first"], block["count"]) == (0, 0, 1)
    assert seal_tree.root(leaves) == base64.b64decode(block["root"])
    assert block["sealed_at"] == "2026-11-21T06:30:00+00:00"
    assert house.client.get("/log/blocks/1").status_code == 404


def test_a_journal_is_not_found_by_what_can_be_guessed(house, wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
    house.sealer.once()
    reference = house.bank.one("SELECT reference FROM orders")
    assert house.client.get(f"/log/proof/{reference}").status_code == 404
    assert house.client.get("/log/proof/1").status_code == 404


def test_ready_says_when_the_log_is_not_the_one_that_was_published(house, wanjiru):
    house.sealer.once()
    ready = house.client.get("/ready")
    assert (ready.status_code, ready.json["log"]) == (200, "ok")
    with house.bank.owner.begin() as session:
        session.connection().exec_driver_sql(
            "SET LOCAL session_replication_role = replica; DELETE FROM positions"
        )
    ready = house.client.get("/ready")
    assert (ready.status_code, ready.json["status"]) == (503, "not ready")
    assert ready.json["log"] == "the database holds 0 leaves, but 1 were published"


def test_that_the_log_only_grew_is_proven_between_any_two_checkpoints(house, wanjiru, otieno):
    for _ in range(5):
        wanjiru.phone.dial().types("1", "0733000002", "10", "4071")
        house.sealer.once()
    lines = (house.outside / "checkpoints.jsonl").read_text().splitlines()
    heads = [Checkpoint.read(json.loads(line)) for line in lines]
    assert len(heads) == 5
    for number, older in enumerate(heads):
        for newer in heads[number:]:
            answer = house.client.get(f"/log/consistency/{older.size}/{newer.size}")
            proof = [base64.b64decode(line) for line in answer.data.split()]
            assert seal_tree.grew(older.size, older.root, newer.size, newer.root, proof)
            other = hashlib.sha256(older.root).digest()
            assert not seal_tree.grew(older.size, other, newer.size, newer.root, proof)
    most = heads[-1].size
    for sizes in (f"0/{most}", f"1/{most + 1}", f"{most}/1", "1/x", f"1/{10**30}"):
        assert house.client.get(f"/log/consistency/{sizes}").status_code == 404
    with house.bank.owner.begin() as session:
        session.connection().exec_driver_sql(
            f"SET LOCAL session_replication_role = replica; DELETE FROM positions"
            f" WHERE position = {most - 1}"
        )
    assert house.client.get(f"/log/consistency/1/{most}").status_code == 404
