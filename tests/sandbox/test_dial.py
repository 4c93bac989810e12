"""
The phone in the terminal, as a command: transcripts, exit statuses, and a real terminal.
"""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import threading
import time
from typing import Self

import pytest
import requests

from sandbox import dial


@pytest.fixture
def home(country, tmp_path, monkeypatch):
    """Write down where things run, as the launcher does."""
    (tmp_path / "running.json").write_text(
        json.dumps({"web": "http://127.0.0.1:9", "sandbox": country.url})
    )
    monkeypatch.setenv("KABAMBE_HOME", str(tmp_path))
    return tmp_path


def text_sent_when(country, said):
    """Have our web send an SMS as soon as a hop says so, as a worker would."""

    def answer(text):
        if text == said:
            country.send(
                to="+254712000001", message="TQ7X2M4K. Sent KES 500.00", **{"from": "KABAMBE"}
            )
        return country.web.screen(text)

    country.web.answer = answer


class TestPlaying:
    def test_prints_the_transcript(self, home, country, capsys, monkeypatch):
        monkeypatch.setattr(dial, "_SMS_QUIET_SECONDS", 0.05)
        country.send(to="+254712000001", message="an old one")
        text_sent_when(country, "1*0733000002*500")

        status = dial.main(["*384#", "--as", "0712000001", "1", "0733000002", "500"])

        assert capsys.readouterr().out == (
            "*384# as 0712000001\n"
            "Kabambe\n1. Send money\n2. Help\n"
            "\n> 1\nSend money to:\n0. Back\n"
            "\n> 0733000002\nAmount for 0733000002:\n"
            "\n> 500\nSent KES 500 to 0733000002.\n"
            "\nSMS from KABAMBE:\nTQ7X2M4K. Sent KES 500.00\n"
        )
        assert status == 0

    def test_a_receipt_is_waited_for_that_is_late(self, home, country, capsys, monkeypatch):
        monkeypatch.setattr(dial, "_SMS_WAIT_SECONDS", 0)
        monkeypatch.setattr(dial, "_SMS_QUIET_SECONDS", 0.05)
        country.web.answer = lambda _path: "END Sent KES 500.00 to Otieno. Ref TQ7X2M4K"
        receipt = {
            "to": "+254712000001",
            "message": "TQ7X2M4K. Sent KES 500.00",
            "from": "KABAMBE",
        }
        late = threading.Timer(0.6, country.send, kwargs=receipt)
        late.start()
        assert dial.main(["*384#"]) == 0
        late.join()
        assert "SMS from KABAMBE:\nTQ7X2M4K" in capsys.readouterr().out

    @pytest.mark.parametrize("number", ["0712000001", "254712000001", "+254 712 000 001"])
    def test_a_number_is_taken_in_any_common_form(self, home, country, number):
        assert dial.main(["*384#", "--as", number, "1"]) == 0
        assert country.web.hops[0]["phoneNumber"] == "+254712000001"

    def test_answers_may_stand_before_the_number(self, home, country):
        assert dial.main(["*384#", "1", "0733000002", "--as", "0733000002"]) == 0
        assert country.web.hops[-1]["text"] == "1*0733000002"

    def test_hangs_up_when_the_answers_are_used(self, home, country):
        assert dial.main(["*384*1#"]) == 0
        assert [each["text"] for each in country.web.hops] == ["1"]
        assert requests.post(
            f"{country.url}/africastalking/ussd",
            json={"session": country.web.hops[0]["sessionId"], "answer": "1"},
            timeout=5,
        ).json()["ended"]

    def test_says_when_the_session_ended_too_early(self, home, country, capsys, monkeypatch):
        monkeypatch.setattr(dial, "_SMS_WAIT_SECONDS", 0)

        assert dial.main(["*384#", "2", "7", "8"]) == 1

        assert "ended before the answer '7'" in capsys.readouterr().err

    def test_tells_of_a_prompt_that_waits(self, home, merchant, capsys, monkeypatch):
        monkeypatch.setattr(dial, "find", lambda: merchant.url)
        monkeypatch.setattr(dial, "_SMS_WAIT_SECONDS", 0)

        def pushes(path):
            merchant.terms(busy_phones=False)
            merchant.pushed(msisdn="254712000001")
            return "END Enter your M-PESA PIN on the next prompt."

        merchant.ears.answer = lambda path: pushes(path) if path.endswith("sandbox") else ""

        assert dial.main(["*384#"]) == 0
        assert "Do you want to pay Ksh.100.00 to KABAMBE" in capsys.readouterr().out

    def test_says_when_the_session_broke_off(self, home, country, capsys):
        country.web.answer = lambda _: "Oops"

        assert dial.main(["*384#"]) == 1

        printed = capsys.readouterr()
        assert "Connection problem" in printed.out
        assert "start with a CON or an END" in printed.err

    def test_says_when_nothing_is_running(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setenv("KABAMBE_HOME", str(tmp_path))
        monkeypatch.setenv("SANDBOX_PORT", "9")

        assert dial.main(["*384#"]) == 2

        assert "start it with ./run" in capsys.readouterr().err

    def test_says_what_is_wrong_with_a_number(self, home, country, capsys):
        assert dial.main(["*384#", "--as", "Amina"]) == 2
        assert "must be a phone number" in capsys.readouterr().err

    def test_nothing_steers_the_terminal(self, home, country, capsys):
        country.web.answer = lambda _: "CON \x1b[2JHello\x07"
        dial.main(["*384#"])
        assert "\n[2JHello\n" in capsys.readouterr().out

    def test_has_help(self, capsys):
        with pytest.raises(SystemExit) as end:
            dial.main(["--help"])
        assert end.value.code == 0
        assert "./run dial '*384#' --as 0733000002" in capsys.readouterr().out


class Terminal:
    """A person at a real terminal; leaving it closes it, as closing the window does."""

    _START = (
        "import fcntl, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        # a job in the background is started deaf to Ctrl-C
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from sandbox import dial; sys.exit(dial.main(sys.argv[1:]))"
    )

    def __init__(self, *argv: str) -> None:
        self.seen = b""
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", self._START, *argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self.ours)
        self.process.wait(5)

    def sees(self, words: str) -> None:
        while words.encode() not in self.seen:
            assert select.select([self.ours], [], [], 5)[0], self.seen.decode()
            self.seen += os.read(self.ours, 4096)

    def types(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def presses(self, key: str, *, until: str) -> None:
        """Press again, as a person does: a signal just before `input()` reads is noticed after."""
        for _ in range(5):
            self.types(key)
            again = time.monotonic() + 1
            while until.encode() not in self.seen and time.monotonic() < again:
                if select.select([self.ours], [], [], 0.1)[0]:
                    self.seen += os.read(self.ours, 4096)
            if until.encode() in self.seen:
                return
        raise AssertionError(self.seen.decode())

    def status(self) -> int:
        return self.process.wait(5)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses Linux's terminals")
class TestTalking:
    def test_shows_screens_in_a_frame_and_asks(self, home, country):
        text_sent_when(country, "1*0733000002*500")
        with Terminal("*384#", "--as", "0712000001") as terminal:
            terminal.sees("│ 1. Send money")
            terminal.types("1\n")
            terminal.sees("│ Send money to")
            terminal.types("0733000002\n")
            terminal.sees("│ Amount")
            terminal.types("500\n")
            terminal.sees("│ Sent KES")
            terminal.sees("─ SMS from KABAMBE ─")
            assert terminal.status() == 0

    @pytest.mark.parametrize(("typed", "code"), [("1234\n", 0), ("\n", 1032)])
    def test_answers_a_prompt(self, merchant, tmp_path, monkeypatch, typed, code):
        (tmp_path / "running.json").write_text(json.dumps({"sandbox": merchant.url}))
        monkeypatch.setenv("KABAMBE_HOME", str(tmp_path))
        merchant.pushed(msisdn="254712000001")
        merchant.ears.answer = lambda path: "END Look at your phone." if "ussd" in path else ""
        with Terminal("*384#") as terminal:
            terminal.sees("Do you want to pay Ksh.100.00")
            terminal.types(typed)
            assert terminal.status() == 0
        assert merchant.ears.one("stk").stk["ResultCode"] == code

    @pytest.mark.parametrize("keys", ["\x03", "\x04"])
    def test_ctrl_c_and_ctrl_d_hang_up(self, home, country, keys):
        with Terminal("*384#") as terminal:
            terminal.sees("> ")
            terminal.presses(keys, until="You hung up")
            assert terminal.status() == 0
        assert len(country.web.hops) == 1


def test_starts_at_once():
    """Nothing heavy is imported on the way to the first screen."""
    code = "import sys, sandbox.dial; print(sorted({m.split('.')[0] for m in sys.modules}))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    ).stdout
    assert not {"flask", "requests", "pydantic", "sqlalchemy"} & set(eval(shown))
