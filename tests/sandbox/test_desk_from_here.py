"""The desk from the sandbox: handed over to the product, or told what is wrong."""

from __future__ import annotations

import pytest

from sandbox import desk
from sandbox.__main__ import main


@pytest.mark.parametrize("command", ["cases", "report", "reversals", "sanctions", "tier", "till"])
def test_with_nothing_running_it_says_what_to_do(command, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KABAMBE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main([command, "list", "--by", "jane"]) == desk.NOT_RUNNING
    assert "start it with ./run" in capsys.readouterr().err


def test_a_list_is_found_from_where_one_stands(house, monkeypatch, tmp_path):
    monkeypatch.setenv("KABAMBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", house.database_url)
    monkeypatch.setenv("REDIS_URL", house.redis_url)
    monkeypatch.setenv("KABAMBE_CALLED_FROM", str(tmp_path))
    (tmp_path / "un.csv").write_text("id,name\n1,Somebody Bad\n")
    assert desk.sanctions(["load", "un.csv", "--source", "un", "--by", "jane"]) == 0
    assert house.bank.one("SELECT name FROM sanctions") == "Somebody Bad"


def test_help_knows_them(capsys):
    assert main(["help"]) == 0
    said = capsys.readouterr().out
    for command in ("cases", "report", "reversals", "sanctions", "tier", "till"):
        assert f"./run {command} " in said
