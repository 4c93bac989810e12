"""What staff say to many, counted and confirmed first; and what SMS came to."""

from __future__ import annotations

import pytest
import requests

ENGLISH = "From Monday you can buy airtime with Kabambe: dial *384#."
SWAHILI = "Kuanzia Jumatatu utanunua muda wa maongezi na Kabambe: piga *384#."


def received(house, number):
    url = f"{house.country_url}/africastalking/messages"
    found = requests.get(url, params={"to": number}, timeout=5).json()
    return [each["message"] for each in found]


def send(house, times=3):
    for _ in range(times):
        house.send_messages()
        house.clock.passes(seconds=2)


class TestTheCommand:
    def test_counts_first_and_sends_nothing_unless_told(self, house, run, people):
        status, said = run("announce", ENGLISH, SWAHILI)
        assert status == 1
        assert "English: 3 people, 1 part each" in said
        assert "Kiswahili: 3 people, 1 part each" in said
        assert "6 people in all; 0 more have opted out" in said
        assert "Nothing is sent." in said
        assert house.bank.one("SELECT count(*) FROM outbox") == 0

    @pytest.mark.parametrize(("typed", "staged"), [("yes", 6), ("Yes ", 6), ("no", 0), ("", 0)])
    @pytest.mark.usefixtures("people")
    def test_asks_whoever_is_there(self, house, run, monkeypatch, typed, staged):
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda _: typed)
        run("announce", ENGLISH, SWAHILI)
        assert house.bank.one("SELECT count(*) FROM outbox") == staged

    def test_tells_everybody_in_their_language(self, house, run, people):
        status, said = run("announce", ENGLISH, SWAHILI, "--yes")
        assert (status, said.splitlines()[-1]) == (0, "6 messages are staged.")
        send(house)
        for n, number in enumerate(people):
            assert received(house, number) == [SWAHILI if n % 2 else ENGLISH]
        assert house.bank.rows("SELECT DISTINCT state FROM messages") == [("sent",)]

    def test_is_kept_in_the_audit_log(self, house, run, people):
        run("announce", ENGLISH, SWAHILI, "--yes", "--to", "verified")
        [(actor, detail)] = house.bank.rows(
            "SELECT actor, detail FROM audit_log WHERE action = 'announced'"
        )
        assert actor == "staff:jane"
        assert detail == {
            "to": "verified",
            "words": {"en": ENGLISH, "sw": SWAHILI},
            "people": 6,
        }

    def test_twice_is_once_unless_it_must_be(self, house, run, people):
        assert run("announce", ENGLISH, SWAHILI, "--yes")[0] == 0
        status, said = run("announce", ENGLISH, SWAHILI, "--yes", by="john")
        assert (status, "--again" in said) == (1, True)
        assert house.bank.one("SELECT count(*) FROM outbox") == 6
        assert run("announce", ENGLISH, SWAHILI, "--yes", "--again")[0] == 0
        house.clock.passes(hours=25)
        assert run("announce", ENGLISH, SWAHILI, "--yes")[0] == 0
        assert run("announce", ENGLISH + "!", SWAHILI, "--yes")[0] == 0

    def test_goes_to_a_tier_or_to_merchants(self, house, run, people):
        house.bank.run("UPDATE subscribers SET tier = 'pending' WHERE id = 1")
        house.bank.run("UPDATE subscribers SET kind = 'merchant' WHERE id = 2")
        for to, number in (("pending", people[0]), ("merchants", people[1])):
            assert run("announce", ENGLISH, SWAHILI, "--yes", "--to", to)[0] == 0
            send(house)
            assert len(received(house, number)) == 1
        assert house.bank.one("SELECT count(*) FROM outbox") == 2

    def test_to_nobody_is_said(self, house, run):
        status, said = run("announce", ENGLISH, SWAHILI, "--yes")
        assert (status, said) == (1, "That is nobody: nothing is sent.\n")

    @pytest.mark.parametrize(
        ("english", "swahili", "said"),
        [
            ("Hello \N{RIGHT SINGLE QUOTATION MARK}", SWAHILI, "English: '\u2019' is not in GSM-7"),
            (
                ENGLISH,
                "Habari \N{SMILING FACE WITH SMILING EYES}",
                "Kiswahili: '\U0001f60a' is not",
            ),
            ("", SWAHILI, "English: there are no words"),
            (ENGLISH, " ", "Kiswahili: there are no words"),
            ("a" * 440, SWAHILI, "English: 4 parts, and 3 is the most"),
        ],
    )
    @pytest.mark.usefixtures("people")
    def test_words_that_will_not_do_are_refused(self, house, run, english, swahili, said):
        status, told = run("announce", english, swahili, "--yes")
        assert status == 1
        assert told.startswith(said)
        assert house.bank.one("SELECT count(*) FROM outbox") == 0

    @pytest.mark.parametrize(
        ("length", "warning"),
        [
            (136, None),
            (137, "2 parts for who has not had news of us before"),
            (160, "2 parts for who has not had news of us before"),
            (161, "161 characters; 160 are one part"),
        ],
    )
    def test_what_costs_more_than_it_looks_is_warned_of(self, house, run, people, length, warning):
        said = run("announce", "a" * length, SWAHILI)[1]
        assert ("Warning" in said) == (warning is not None)
        assert warning is None or warning in said

    def test_words_with_braces_are_words(self, house, run, people):
        run("announce", "Win {KES 5}", "Shinda {KES 5}", "--yes")
        send(house)
        assert received(house, people[0]) == ["Win {KES 5}"]


class TestFigures:
    def test_by_day_and_event(self, house, run, people, wanjiru, otieno):
        run("announce", ENGLISH, SWAHILI, "--yes")
        send(house)
        wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
        house.fault(kind="recipient", code=403)
        house.send_messages()
        house.account(balance="1234.50")
        house.relay._asked_credit_at = 0.0
        house.send_messages()
        status, said = run("sms")
        assert status == 0
        lines = [" ".join(line.split()) for line in said.splitlines()]
        assert lines[0] == "day event messages parts cost"
        assert "2026-11-21 announced 8 8 KES 6.40" in lines
        assert "in all 10 9 KES 7.20" in lines
        assert "By state: 1 rejected, 9 sent" in lines
        assert "Credit: KES 1,234.50, as told" in said

    def test_of_nothing(self, house, run):
        status, said = run("sms", "--days", "1")
        assert status == 0
        assert "By state: none" in said
        assert "Credit: not known yet" in said

    @pytest.mark.parametrize("days", ["0", "-1", "x", "367"])
    def test_of_no_number_of_days(self, run, days):
        with pytest.raises(SystemExit):
            run("sms", "--days", days)

    def test_names_what_is_wrong_with_the_line(self, house, run):
        house.bank.run(
            "INSERT INTO sms_line (provider, credit, credit_told_at, credit_gone_at,"
            " sender_refused_at) VALUES ('africastalking', 30, :now, :now, :now)",
            now=house.clock(),
        )
        said = run("sms")[1]
        assert "for want of credit" in said
        assert "refuses our sender id" in said
