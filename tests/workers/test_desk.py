"""The desk: what staff do at a terminal, in the order in which they would."""

from __future__ import annotations

import io
import json
import re
import stat

import pytest
from bank import PIN
from processes import environment

from core.money import kes
from core.seal import Anchor
from workers import desk

HIS = "+254712000001"


@pytest.fixture
def sit(house, monkeypatch, capsys):
    """Give the desk a command; what it prints, and how it ends."""
    for name, value in environment(house).items():
        monkeypatch.setenv(name, value)

    def sit(*words, by="jane"):
        status = desk.main([*map(str, words), "--by", by])
        told = capsys.readouterr()
        return status, told.out + told.err

    return sit


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "un.csv"
    path.write_text(f"id,name,numbers\n7,Joseph Kony,{HIS}\n")
    return path


def test_from_the_list_to_the_report(house, sit, listed, tmp_path):
    house.register(HIS, name="Joe", balance="1,000")
    status, said = sit("sanctions", "load", listed, "--source", "un")
    assert status == 0
    assert said.startswith("un: 1 entries; 1 added, 0 changed, 0 removed\nEverybody is screened")
    assert sit("sanctions", "load", listed, "--source", "un")[1].endswith("0 removed\n")
    assert sit("cases", "list") == (0, "No case is open.\n")
    house.relay._swept_at = 0.0
    house.send_messages()
    assert "1  sanctions  subscriber 1" in sit("cases", "list")[1]
    said = sit("cases", "show", 1)[1]
    assert "Joseph Kony" in said
    assert "hit 1: un 7, open" in said
    assert sit("cases", "note", 1, "--why", "His number since May")[0] == 0
    status, said = sit("report", 1, "--why", "It is him", "--to", tmp_path)
    assert status == 0
    paths = [tmp_path / "SAR-1-1.json", tmp_path / "SAR-1-1.txt"]
    assert said == "".join(f"{path}\n" for path in paths)
    assert json.loads(paths[0].read_text())["exported_by"] == "staff:jane"
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600]
    assert sit("sanctions", "propose", 1, "--why", "A cousin")[0] == 0
    status, said = sit("sanctions", "clear", 1, "--why", "So it is")
    assert (status, "(own-request)" in said) == (1, True)
    assert sit("sanctions", "clear", 1, "--why", "So it is", by="john")[0] == 0
    assert sit("cases", "close", 1, "--why", "A cousin")[0] == 0
    assert sit("cases", "list", "--closed")[1].startswith("1  sanctions")


def test_papers_and_tiers(house, sit, monkeypatch):
    house.phone(HIS).dial().types("1", "Joseph", PIN, PIN, "1")
    status, said = sit("tier", "set", HIS, "verified", "--why", "Seen")
    assert (status, "(no-papers)" in said) == (1, True)
    monkeypatch.setattr("sys.stdin", io.StringIO("12345678\n"))
    words = ("--name", "Joseph Otieno", "--document", "national-id", "--born", "1990-01-31")
    assert sit("tier", "papers", "0712 000 001", *words)[0] == 0
    assert sit("tier", "set", HIS, "verified", "--why", "Seen")[0] == 0
    assert sit("tier", "set", HIS, "suspended", "--why", "Stolen phone")[0] == 0
    assert sit("tier", "set", HIS, "verified", "--why", "Found")[0] == 1
    assert "Lift 1:" in sit("tier", "propose", HIS, "verified", "--why", "Found")[1]
    assert sit("tier", "approve", 1, "--why", "Agreed", by="john") == (0, "Lift 1 is approved.\n")
    assert house.bank.one("SELECT tier FROM subscribers") == "verified"
    assert "12345678" not in str(house.bank.rows("SELECT * FROM identities"))


def test_a_bad_list_is_told_line_by_line_and_nothing_is_loaded(house, sit, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("id,name\n1,Fine\n,None\n3,\n")
    assert sit("sanctions", "load", path, "--source", "un") == (
        1,
        "line 3: no id\nline 4: no name\n",
    )
    assert house.bank.rows("SELECT 1 FROM sanctions") == []
    assert "cannot be read" in sit("sanctions", "load", tmp_path / "no.csv", "--source", "un")[1]


def test_a_transfer_is_asked_back_and_decided_about_by_another(sit, wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "500", PIN)
    wanjiru.phone.dial().types("1", "0733000002", "100", PIN)
    first, second = re.findall(r"Ref (T\w+)", " ".join(wanjiru.phone.transcript))
    asked = ("reversal", "request", HIS)
    assert sit(*asked, first, "--why", "The wrong Otieno", by="Jane")[0] == 0
    assert "Reversal 2:" in sit(*asked, second, "--why", "Twice")[1]
    said = sit("reversal", "list")[1]
    assert f"1  {first}  KES 500.00  staff:jane" in said
    assert said.count("\n") == 2
    for name in ("jane", " JANE "):
        status, said = sit("reversal", "approve", 1, "--why", "He agrees", by=name)
        assert (status, "(own-request)" in said) == (1, True)
    assert sit("reversal", "approve", 1, "--why", "He agrees", by="john")[0] == 0
    assert sit("reversal", "decline", 2, "--why", "He does not", by="john")[0] == 0
    assert otieno.balance == kes(100_00)
    assert sit("reversal", "list") == (0, "No reversal waits.\n")


def test_no_reversal_is_decided_about_on_a_copy_that_lost_its_tail(
    sit, wanjiru, otieno, monkeypatch
):
    wanjiru.phone.dial().types("1", "0733000002", "500", PIN)
    [reference] = re.findall(r"Ref (T\w+)", wanjiru.phone.screen)
    sit("reversal", "request", HIS, reference, "--why", "The wrong Otieno")
    monkeypatch.setattr(Anchor, "objection", lambda _anchor, _session: "the tail is lost")
    status, said = sit("reversal", "approve", 1, "--why", "He agrees", by="john")
    assert (status, "No money moves" in said) == (1, True)
    assert otieno.balance == kes(500_00)


def test_a_shop_gets_its_till(sit, wanjiru, otieno):
    status, said = sit("till", "open", "0733000002")
    assert status == 0
    till = said.split()[-1].rstrip(".")
    wanjiru.phone.dial().types("5", "1", till)
    assert wanjiru.phone.screen.startswith("Pay Otieno")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("till", "open", "0799000009"), "unknown-recipient"),
        (("reversal", "approve", "9", "--why", "x"), "unknown-reversal"),
        (("reversal", "request", HIS, "T0", "--why", "x"), "unknown-recipient"),
        (("report", "9", "--why", "x"), "unknown-case"),
        (("cases", "show", "9"), "unknown-case"),
        (("tier", "set", "12", "pending", "--why", "x"), "invalid-msisdn"),
        (("tier", "set", HIS, "pending", "--why", "x"), "unknown-recipient"),
        (("tier", "approve", "9", "--why", "x"), "unknown-lift"),
        (("sanctions", "clear", "9", "--why", "x"), "unknown-hit"),
        (("report", "1", "--why", "x", "--to", "/no/such/folder"), "no folder"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(sit, words, why):
    status, said = sit(*words)
    assert status == 1
    assert why in said


@pytest.mark.parametrize("signature", [[], ["--by", " "]])
def test_everybody_signs(sit, signature):
    with pytest.raises(SystemExit):
        desk.main(["cases", "list", *signature])
