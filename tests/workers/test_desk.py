"""The desk: what staff do at a terminal, in the order in which they would."""

from __future__ import annotations

import io
import json
import stat

import pytest
from bank import PIN
from processes import environment

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


def lose_the_tail(house):
    while house.sealer.once():
        pass
    with house.bank.owner.begin() as session:
        session.connection().exec_driver_sql(
            "SET LOCAL session_replication_role = replica;"
            " DELETE FROM positions WHERE position = (SELECT max(position) FROM positions)"
        )


class TestReversals:
    HERS, HIS = "+254712000001", "+254733000002"

    @pytest.fixture
    def reference(self, house):
        sender = house.register(self.HERS, name="Wanjiru", balance="1,250")
        house.register(self.HIS, name="Otieno")
        sender.phone.dial().types("1", "0733000002", "500", "4071")
        return house.bank.one("SELECT reference FROM orders")

    def balance(self, house):
        return house.bank.balance_of(self.HERS), house.bank.balance_of(self.HIS)

    def actions(self, house):
        return house.bank.rows(
            "SELECT action, actor, origin FROM audit_log WHERE subject = 'reversal:1' ORDER BY id"
        )

    def test_asked_for_by_one_and_approved_by_another(self, house, sit, reference):
        assert sit("reversals", "list") == (0, "No reversal waits for a decision.\n")
        asked = ("reversals", "request", "0712 000 001", reference, "--why", "The wrong Otieno")
        assert "Reversal 1: somebody else" in sit(*asked)[1]
        assert "(already-requested)" in sit(*asked)[1]
        said = sit("reversals", "list")[1]
        for words in (
            f"1  {reference}  KES 500.00 from {self.HERS} to {self.HIS}; asked by staff:jane ",
            ": The wrong Otieno",
        ):
            assert words in said
        assert sit("reversals", "list", "--after", 1)[1] == "No reversal waits for a decision.\n"
        for name in ("jane", " JANE "):
            status, said = sit("reversals", "approve", 1, "--why", "So it is", by=name)
            assert (status, "(own-request)" in said) == (1, True)
        assert self.balance(house) == (745_00, 500_00)
        approved = sit("reversals", "approve", 1, "--why", "He agrees", by="john")
        assert approved == (0, "Reversal 1 is approved.\n")
        assert self.balance(house) == (1250_00, 0)
        assert "(already-decided)" in sit("reversals", "decline", 1, "--why", "No", by="john")[1]
        assert self.actions(house) == [
            ("reversal-requested", "staff:jane", "desk"),
            ("reversal-approved", "staff:john", "desk"),
        ]

    def test_what_was_spent_already_is_collected_from_what_comes_in(self, house, sit, reference):
        shop = house.register("+254711000003", name="Amina", balance="1,000")
        house.phone(self.HIS).dial().types("1", "0711000003", "100", "4071")
        sit("reversals", "request", self.HERS, reference, "--why", "The wrong Otieno")
        assert sit("reversals", "debts") == (0, "Nobody owes us anything.\n")
        sit("reversals", "approve", 1, "--why", "He agrees", by="john")
        said = sit("reversals", "debts")[1]
        assert f"{self.HIS} owes KES 102.00, has KES 0.00" in said
        collecting = ("reversals", "collect", "--why", "He has it")
        for number in ("0733 000 002", "all"):
            assert sit(*collecting, number) == (0, "There is nothing to collect.\n")
        shop.phone.dial().types("1", "0733000002", "60", "4071")
        assert sit(*collecting, "0733 000 002")[1] == (
            "0733 000 002: KES 60.00 collected, KES 42.00 still owed.\n"
        )
        shop.phone.dial().types("1", "0733000002", "50", "4071")
        assert sit(*collecting, "all")[1] == (
            f"{self.HIS}: KES 42.00 collected, KES 0.00 still owed.\n"
        )
        assert self.balance(house)[1] == 8_00
        assert sit("reversals", "debts") == (0, "Nobody owes us anything.\n")

    def test_on_a_copy_that_lost_its_tail_nothing_is_collected(self, house, sit, reference):
        shop = house.register("+254711000003", name="Amina", balance="1,000")
        house.phone(self.HIS).dial().types("1", "0711000003", "100", "4071")
        sit("reversals", "request", self.HERS, reference, "--why", "The wrong Otieno")
        sit("reversals", "approve", 1, "--why", "He agrees", by="john")
        shop.phone.dial().types("1", "0733000002", "60", "4071")
        lose_the_tail(house)
        status, said = sit("reversals", "collect", "all", "--why", "He has it")
        assert (status, "the log's tail is lost" in said) == (1, True)
        assert self.balance(house)[1] == 60_00

    def test_declined_nothing_moves(self, house, sit, reference):
        sit("reversals", "request", self.HERS, reference, "--why", "The wrong Otieno")
        declined = sit("reversals", "decline", 1, "--why", "It was his", by="john")
        assert declined == (0, "Reversal 1 is declined.\n")
        assert self.balance(house) == (745_00, 500_00)
        assert self.actions(house)[-1][0] == "reversal-declined"

    @pytest.mark.parametrize("decision", ["approve", "decline"])
    def test_on_a_copy_that_lost_its_tail_nothing_is_decided(self, house, sit, reference, decision):
        sit("reversals", "request", self.HERS, reference, "--why", "The wrong Otieno")
        lose_the_tail(house)
        status, said = sit("reversals", decision, 1, "--why", "He agrees", by="john")
        assert (status, "the log's tail is lost" in said) == (1, True)
        assert self.balance(house) == (745_00, 500_00)
        assert house.bank.one("SELECT state FROM reversals") == "requested"

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (("request", "0712000001", "T000000000", "--why", "x"), "unknown-transfer"),
            (("approve", "9", "--why", "x"), "unknown-reversal"),
            (("decline", "9", "--why", "x"), "unknown-reversal"),
        ],
    )
    def test_what_cannot_be_done_is_said_in_words(self, sit, reference, words, why):
        status, said = sit("reversals", *words)
        assert (status, why in said) == (1, True)
