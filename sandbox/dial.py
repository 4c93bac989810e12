"""
A phone in the terminal: it dials through the sandbox's network, as the phone page does.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sandbox.environment import variable

_NUMBER = "0712000001"
_CALL_SECONDS = 30
"""Longer than the network's own deadline, and twice that where it sends every hop twice."""
_SMS_WAIT_SECONDS = 3.0
_RECEIPT_WAIT_SECONDS = 15.0
"""How long an SMS is waited for, after a screen that has a reference: a receipt comes, if late."""
_SMS_QUIET_SECONDS = 0.4
"""After the first SMS, how long a second one is waited for."""
_PROMPT_WAIT_SECONDS = 6.0
"""How long a prompt is waited for, after a screen that speaks of M-Pesa."""

DONE, STOPPED_SHORT, NOT_RUNNING = 0, 1, 2

_HELP = f"""\
A phone in the terminal. It dials a service code as a phone number and shows the screens.
Without answers you type them; Ctrl-C or Ctrl-D hangs up. With answers it plays them, prints
the transcript and hangs up. SMS that arrive meanwhile are shown at the end.

  ./run dial '*384#'                                 talk as {_NUMBER}
  ./run dial '*384#' --as 0733000002 1 0712000001    play two answers
  ./run dial '*384*1#'                               dial straight into a menu

It ends with 0 when the session went as far as the answers did, 1 when it ended before, and 2
when Kabambe is not running.
"""


class NotRunning(Exception):
    """Nobody answers where the sandbox should be."""


class Refused(Exception):
    """The sandbox does not take what was asked; the words say why."""


class Sandbox:
    """The sandbox's network, as one phone reaches it."""

    def __init__(self, url: str, number: str) -> None:
        self._url = url.rstrip("/")
        self._number = number
        # Straight to the loopback, whatever proxy the environment names.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def dial(self, dialled: str) -> dict[str, Any]:
        """Open a session."""
        return self._ussd({"phone": self._number, "dial": dialled})

    def answer(self, session: str, said: str) -> dict[str, Any]:
        """Answer the screen that is shown."""
        return self._ussd({"session": session, "answer": said})

    def hang_up(self, session: str) -> None:
        """End the session."""
        self._ussd({"session": session, "hangup": True})

    def messages(self) -> list[dict[str, str]]:
        """List what this number has received, oldest first."""
        return self._list("/africastalking/messages")

    def prompts(self) -> list[dict[str, str]]:
        """List the prompts of M-PESA that wait on this phone."""
        return self._list("/daraja/prompts")

    def answer_prompt(self, prompt: dict[str, str], pin: str) -> str:
        """Type the M-PESA PIN, or cancel without one; gives what M-PESA says to that."""
        said: dict[str, object] = {"pin": pin} if pin else {"cancel": True}
        path = "/daraja/prompts/" + quote(prompt["id"], safe="")
        try:
            answer = self._call(path, json.dumps(said).encode())
        except Refused as late:
            return str(late)
        return str(answer["words"]) if isinstance(answer, dict) else ""

    def _list(self, path: str) -> list[dict[str, str]]:
        answer = self._call(f"{path}?to={quote(self._number, safe='')}")
        return answer if isinstance(answer, list) else []

    def _ussd(self, body: dict[str, object]) -> dict[str, Any]:
        answer = self._call("/africastalking/ussd", json.dumps(body).encode())
        if not isinstance(answer, dict):
            raise NotRunning
        return answer

    def _call(self, path: str, body: bytes | None = None) -> object:
        request = urllib.request.Request(  # noqa: S310 -- an address of our own launcher
            self._url + path, body, {"Content-Type": "application/json"}
        )
        try:
            with self._open(request, timeout=_CALL_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                raise Refused(json.load(error)["error"]) from None
            except (ValueError, KeyError, TypeError):
                raise NotRunning from None  # somebody else's server
        except (OSError, ValueError):
            raise NotRunning from None


def find() -> str:
    """Tell where the sandbox is: as the launcher wrote it down, else by its usual port."""
    home = Path(variable("KABAMBE_HOME") or Path(__file__).parent.parent / ".kabambe")
    try:
        running = json.loads((home.expanduser() / "running.json").read_text(encoding="utf-8"))
        return str(running["sandbox"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"http://127.0.0.1:{variable('SANDBOX_PORT') or 8001}"


def main(argv: Sequence[str]) -> int:
    """Dial, talk, hang up; `argv` is what follows `./run dial`."""
    parser = argparse.ArgumentParser(
        prog="./run dial",
        usage="./run dial CODE [--as NUMBER] [ANSWER ...]",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("code", metavar="CODE", help="what is dialled, for example '*384#'")
    parser.add_argument("answers", metavar="ANSWER", nargs="*", help="what is typed, in order")
    parser.add_argument(
        "--as", dest="number", default=_NUMBER, metavar="NUMBER", help=f"who dials ({_NUMBER})"
    )
    asked = parser.parse_intermixed_args(argv)
    url = find()
    sandbox = Sandbox(url, asked.number)
    try:
        if not asked.answers and sys.stdin.isatty():
            return _talk(sandbox, asked.code)
        return _play(sandbox, asked.code, asked.number, asked.answers)
    except Refused as refusal:
        print(f"./run dial: {refusal}", file=sys.stderr)
        return NOT_RUNNING
    except NotRunning:
        print(f"Kabambe is not running at {url}: start it with ./run", file=sys.stderr)
        return NOT_RUNNING


def _play(sandbox: Sandbox, code: str, number: str, answers: Sequence[str]) -> int:
    """Play the answers and print the transcript."""
    before = sandbox.messages()
    print(f"{code} as {number}")
    turn = sandbox.dial(code)
    print(_plain(turn["screen"]), flush=True)
    outcome = DONE
    for said in answers:
        if turn["ended"]:
            _complain(f"the session ended before the answer {said!r} was used", turn)
            outcome = STOPPED_SHORT
            break
        print(f"\n> {said}")
        turn = sandbox.answer(turn["session"], said)
        print(_plain(turn["screen"]), flush=True)
    if not turn["ended"]:
        sandbox.hang_up(turn["session"])
    elif outcome == DONE and "error" in turn:
        _complain("the session broke off", turn)
        outcome = STOPPED_SHORT
    ended_well = turn["ended"] and "error" not in turn
    for message in _arrived(sandbox, before, after=turn["screen"] if ended_well else None):
        print(f"\nSMS from {message['from']}:\n{_plain(message['message'])}")
    for prompt in _waiting(sandbox, turn) if ended_well else []:
        print(f"\nM-PESA asks on this phone:\n{_plain(prompt['words'])}")
        print("Type the M-PESA PIN on the phone page, or with ./run dial in a terminal.")
    return outcome


def _talk(sandbox: Sandbox, code: str) -> int:
    """Show each screen in a frame and ask for the answer, until either side ends the session."""
    before = sandbox.messages()
    turn = sandbox.dial(code)
    _frame(turn["screen"])
    while not turn["ended"]:
        try:
            said = input("> ")
        except (EOFError, KeyboardInterrupt):
            print("\nYou hung up.")
            sandbox.hang_up(turn["session"])
            break
        turn = sandbox.answer(turn["session"], said)
        _frame(turn["screen"])
    broken = "error" in turn
    if broken:
        _complain("the session broke off", turn)
    try:
        for prompt in _waiting(sandbox, turn) if turn["ended"] and not broken else []:
            _frame(prompt["words"], title="M-PESA")
            pin = input("M-PESA PIN, or Enter to cancel> ")
            print(_plain(sandbox.answer_prompt(prompt, pin)))
        screen = turn["screen"] if turn["ended"] and not broken else None
        arrived = _arrived(sandbox, before, after=screen)
    except (EOFError, KeyboardInterrupt):
        return DONE
    for message in arrived:
        _frame(message["message"], title=f"SMS from {message['from']}")
    return STOPPED_SHORT if broken else DONE


def _waiting(sandbox: Sandbox, turn: dict[str, Any]) -> list[dict[str, str]]:
    """List the prompts that wait; after a screen that speaks of M-Pesa, one is waited for."""
    speaks = re.search("m-pesa", turn["screen"], re.IGNORECASE)
    ends = time.monotonic() + (_PROMPT_WAIT_SECONDS if speaks else 0)
    while not (found := sandbox.prompts()) and time.monotonic() < ends:
        time.sleep(0.05)
    return found


def _arrived(
    sandbox: Sandbox, before: list[dict[str, str]], *, after: str | None
) -> list[dict[str, str]]:
    """List the SMS that came since; after a screen that ended well, give one time to arrive."""
    newest = before[-1]["at"] if before else ""
    patience = 0.0
    if after is not None:
        has_reference = re.search(r"\b(Ref|Kumb)\b", after)
        patience = _RECEIPT_WAIT_SECONDS if has_reference else _SMS_WAIT_SECONDS
    ends = time.monotonic() + patience
    seen = 0
    while True:
        arrived = [message for message in sandbox.messages() if message["at"] > newest]
        if len(arrived) > seen:
            seen = len(arrived)
            ends = time.monotonic() + _SMS_QUIET_SECONDS
        if time.monotonic() >= ends:
            return arrived
        time.sleep(0.05)


def _complain(words: str, turn: dict[str, Any]) -> None:
    why = f": {turn['error']}" if turn.get("error") else "."
    sys.stdout.flush()
    print(f"\n./run dial: {words}{why}", file=sys.stderr)


def _plain(text: str) -> str:
    """Leave out what could steer the terminal."""
    return re.sub(r"[^\n\x20-\x7e\xa0-\U0010ffff]", "", text)


def _frame(text: str, title: str = "") -> None:
    """Draw a screen, wrapped as a handset wraps it."""
    lines = [
        line[start : start + 40] or " "
        for line in _plain(text).split("\n")
        for start in range(0, len(line) or 1, 40)
    ]
    width = max(24, len(title) + 3, *(len(line) for line in lines))
    head = f"─ {title} ".ljust(width + 2, "─") if title else "─" * (width + 2)
    body = "\n".join(f"│ {line.ljust(width)} │" for line in lines)
    print(f"╭{head}╮\n{body}\n╰{'─' * (width + 2)}╯", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
