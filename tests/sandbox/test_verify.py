"""`./run verify`: which verifier runs, with which key, and what is said when there is none."""

from __future__ import annotations

import pytest

from sandbox import verify
from sandbox.engines import Postgres
from sandbox.product import log_folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KABAMBE_HOME", str(tmp_path))
    monkeypatch.setenv("KABAMBE_CALLED_FROM", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


def test_asked_nothing_it_says_how_to_ask(home, capfd):
    assert verify.main([]) == 2
    assert verify.main(["--help"]) == 0
    assert "./run verify RECEIPT" in capfd.readouterr().out


def test_without_a_sandbox_it_wants_a_key(home, capfd):
    assert verify.main(["receipt"]) == 1
    assert "say --key KEY" in capfd.readouterr().err


def test_a_receipt_is_named_from_where_the_caller_stands(home, capfd):
    (home / "receipt").write_text("nothing of the kind")
    key = "kabambe.test+49a9c6f1+nonsense"
    assert verify.main(["receipt", "--key", key]) == 1
    assert "The key is not one" in capfd.readouterr().err
    assert verify.main(["elsewhere", "--key", key]) == 1
    assert "cannot be read" in capfd.readouterr().err


def test_the_sandboxs_own_key_is_taken_when_none_is_given(home, capfd):
    folder = log_folder(home, Postgres(home).url)
    folder.mkdir(parents=True)
    (folder / "key").write_text("nonsense")
    (home / "receipt").write_text("nothing of the kind")
    assert verify.main(["receipt"]) == 1
    assert "The key is not one" in capfd.readouterr().err


def test_the_book_is_asked_for_alone(home, capfd):
    assert verify.main(["--book", "extra", "--key", "x"]) == 2
    assert "audit the whole book" in capfd.readouterr().err


def test_a_book_that_cannot_be_reached_is_told(home, monkeypatch, capfd):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    assert verify.main(["--book", "--key", "nonsense"]) == 1
    assert "could not be audited" in capfd.readouterr().err
