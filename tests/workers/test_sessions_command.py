"""The figures on paper: tables where there is something to count, words where there is not."""

from __future__ import annotations

import textwrap

import ended
import pytest
from processes import environment

from workers import sessions

HERS = "+254712000001"
CONFIRM = "home.Home|send.Recipient|send.Amount|send.Confirm"
WEEK = ("--since", "2026-11-16", "--until", "2026-11-23")


@pytest.fixture
def run(house, monkeypatch, capsys):
    """Ask for figures; the exit status, and what was printed."""
    for name, value in environment(house).items():
        monkeypatch.setenv(name, value)

    def run(*words):
        status = sessions.main(words or WEEK)
        return status, capsys.readouterr().out

    return run


@pytest.fixture
def told(house):
    def tell(number, **fields):
        form = {
            "sessionId": f"ATUid_{number}",
            "networkCode": "63902",
            "phoneNumber": HERS,
            "status": "Success",
            "cost": "KES 0.10",
            "durationInMillis": "20000",
            "hopsCount": "5",
            "hopsMetadata": f"{CONFIRM}|send.Outcome",
        } | fields
        ended.tell(house, form)

    return tell


def test_nothing_was_told(run):
    status, said = run()
    assert status == 0
    assert said.startswith(
        "2026-11-16 00:00 EAT to 2026-11-23 00:00 EAT\n\n"
        "Nobody told us of a session that ended in this time."
    )
    assert "/events" in said


def test_a_week(run, told, house, wanjiru, amina):
    told(1)
    told(2, status="Incomplete", hopsMetadata=CONFIRM, durationInMillis="61250", hopsCount="4")
    told(3, networkCode="63903", phoneNumber="+254711000003", hopsMetadata="home.Home")
    told(4, networkCode="", phoneNumber="", status="Failed", cost="", hopsMetadata="")
    wanjiru.phone.dial().types("1", "0711000003", "100", "4071")
    house.clock.passes(days=1)
    told(5, status="Incomplete", hopsMetadata="home.Home|statement.Statement", cost="USD 1")
    said = run()[1].partition("\n\n")[2]
    assert said == textwrap.dedent("""\
        all sessions  sessions  ended  broken off  failed  hops  median s  p99 s                cost
        --------------------------------------------------------------------------------------------
                             5  40.0%       40.0%   20.0%   4.8      20.0   61.2  KES 0.30, USD 1.00

        by day      sessions  ended  broken off  failed  hops  median s  p99 s      cost
        --------------------------------------------------------------------------------
        2026-11-21         4  50.0%       25.0%   25.0%   4.8      20.0   61.2  KES 0.30
        2026-11-22         1   0.0%      100.0%    0.0%   5.0      20.0   20.0  USD 1.00

        by network  sessions   ended  broken off  failed  hops  median s  p99 s                cost
        -------------------------------------------------------------------------------------------
        Safaricom          3   33.3%       66.7%    0.0%   4.7      20.0   61.2  KES 0.20, USD 1.00
        no code            1    0.0%        0.0%  100.0%   5.0      20.0   20.0
        Airtel             1  100.0%        0.0%    0.0%   5.0      20.0   20.0            KES 0.10

        by language  sessions   ended  broken off  failed  hops  median s  p99 s                cost
        --------------------------------------------------------------------------------------------
        English             3   33.3%       66.7%    0.0%   4.7      20.0   61.2  KES 0.20, USD 1.00
        strangers           1    0.0%        0.0%  100.0%   5.0      20.0   20.0
        Kiswahili           1  100.0%        0.0%    0.0%   5.0      20.0   20.0            KES 0.10

        by flow    sessions  hops  to its end   share
        ---------------------------------------------
        send              2   3.5           1   50.0%
        statement         1   1.0           1  100.0%

        by flow, network     sessions  hops  to its end   share
        -------------------------------------------------------
        send Safaricom              2   3.5           1   50.0%
        statement Safaricom         1   1.0           1  100.0%

        by flow, language  sessions  hops  to its end   share
        -----------------------------------------------------
        send English              2   3.5           1   50.0%
        statement English         1   1.0           1  100.0%

        broken off at        sessions  were shown it   share
        ----------------------------------------------------
        send.Confirm                1              2   50.0%
        statement.Statement         1              1  100.0%

        broken off at, network         sessions  were shown it   share
        --------------------------------------------------------------
        send.Confirm Safaricom                1              2   50.0%
        statement.Statement Safaricom         1              1  100.0%

        broken off at, language      sessions  were shown it   share
        ------------------------------------------------------------
        send.Confirm English                1              2   50.0%
        statement.Statement English         1              1  100.0%

        by journey  count  hops  SMS parts  sessions' cost  SMS cost
        ------------------------------------------------------------
        transfer        1     -        0.0

        Of 1 sessions in which something was ordered, 1 (100.0%) were never told to have ended: \
the aggregator does not deliver every event.
        1 told no screen; they are in no flow.
        1 told no cost that can be read.
    """)


def test_flows_and_drop_offs_of_each_network_and_language_are_their_own(run, told, wanjiru, amina):
    told(1)
    told(2, networkCode="63903", phoneNumber="+254711000003")
    told(3, networkCode="63903", phoneNumber=None, status="Incomplete", hopsMetadata=CONFIRM)
    _status, said = run()
    rows = {tuple(line.split()) for line in said.splitlines()}
    assert ("send", "3", "3.7", "2", "66.7%") in rows
    assert ("send", "Safaricom", "1", "4.0", "1", "100.0%") in rows
    assert ("send", "Airtel", "2", "3.5", "1", "50.0%") in rows
    assert ("send", "Kiswahili", "1", "4.0", "1", "100.0%") in rows
    assert ("send", "strangers", "1", "3.0", "0", "0.0%") in rows
    assert ("send.Confirm", "Airtel", "1", "2", "50.0%") in rows
    assert ("send.Confirm", "strangers", "1", "1", "100.0%") in rows


def test_a_journey_is_told_with_its_sms(run, told, house, wanjiru, amina):
    wanjiru.phone.dial().types("1", "0711000003", "100", "4071")
    house.send_messages()
    told(1, sessionId=wanjiru.phone.session_id)
    _status, said = run()
    assert (
        textwrap.dedent("""\
        by journey  count  hops  SMS parts  sessions' cost  SMS cost
        ------------------------------------------------------------
        transfer        1   5.0        2.0        KES 0.10  KES 1.60
    """)
        in said
    )


def test_nothing_that_was_told_steers_the_terminal(run, told):
    odd = "\x1b[2J\n<b>"
    told(1, networkCode=odd, phoneNumber=odd, status=odd, cost=odd, hopsMetadata=odd)
    _status, said = run()
    assert "\x1b" not in said
    assert "<b>" not in said


def test_a_period_that_ends_before_it_begins(run, capsys):
    with pytest.raises(SystemExit):
        run("--since", "2026-11-02", "--until", "2026-11-01")
    assert "--until is a day after --since" in capsys.readouterr().err


def test_a_database_that_does_not_answer(run, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    assert sessions.main(WEEK) == 2
    assert capsys.readouterr().err == "The database did not say: OperationalError\n"
