"""The command line behind `./run`."""

from __future__ import annotations

import importlib
import sys

_HELP = """\
Kabambe: a bank on any phone, and a whole country to try it in.

  ./run                       start everything; Ctrl-C stops it
  ./run dial CODE [ANSWER …]  a phone in the terminal: ./run dial '*384#' --as 0712000001
  ./run verify RECEIPT        check a receipt against the sealed log; ./run verify --help
  ./run reconcile [OPTION …]  the whole book, or a provider's statement, looked at for breaks
  ./run statement --of NUMBER an account's movements, as text, CSV or PDF: see its --help
  ./run sessions [OPTION …]   how USSD sessions went: flows, drop-offs, cost; see its --help
  ./run sanctions …           the desk: load a sanctions list, decide about a hit
  ./run cases …               the desk: look at cases, say something of one, close one
  ./run report CASE …         the desk: a case as a suspicious activity report
  ./run tier …                the desk: papers and tiers
  ./run mpesa …               the desk: M-Pesa's rows, float, cases, breaker, statement; see -h
  ./run reversals …           the desk: ask for a transfer back, decide about it
  ./run till open NUMBER …    the desk: make a merchant; -h after any of these says more
  ./run staff add NAME …      the desk: who works here, and may log in at the API
  ./run factors …             the desk: second factors that were lost; one proposes, another decides
  ./run announce EN SW …      the desk: the same news to many, counted and confirmed first
  ./run sms                   the desk: what SMS came to, what waits, and the credit
  ./run test [ARGUMENT …]     every check and every test; arguments are pytest's
  ./run lint                  the checks alone: style, format, types, import contracts
  ./run menus [--check]       draw every screen, and write every flow down: docs/menus.svg, .md
  ./run openapi               write the description of the API: docs/openapi.json
  ./run vouchers ARGUMENT …   issue, cancel and check vouchers: ./run vouchers issue --help
  ./run bench [ARGUMENT …]    the benchmarks
  ./run chaos [ARGUMENT …]    kills under load, and what must hold after them; --long for all of it
  ./run lock                  compile requirements*.in to requirements*.txt, with hashes
  ./run help                  this

From the environment: PORT (8000) and SANDBOX_PORT (8001), where to listen; KABAMBE_HOME (.kabambe),
the folder that holds all state; DATABASE_URL and REDIS_URL, to use a PostgreSQL and a Redis of your
own in place of the embedded ones.
"""

# Where each command lives, so that one need not import what only the others need.
_COMMANDS = {
    "start": ("sandbox.start", "main"),
    "dial": ("sandbox.dial", "main"),
    "verify": ("sandbox.verify", "main"),
    "reconcile": ("sandbox.staff", "reconcile"),
    "statement": ("sandbox.staff", "statement"),
    "announce": ("sandbox.desk", "announce"),
    "sms": ("sandbox.desk", "sms"),
    "sessions": ("sandbox.staff", "sessions"),
    "cases": ("sandbox.desk", "cases"),
    "report": ("sandbox.desk", "report"),
    "mpesa": ("sandbox.desk", "mpesa"),
    "reversals": ("sandbox.desk", "reversals"),
    "sanctions": ("sandbox.desk", "sanctions"),
    "staff": ("sandbox.desk", "staff"),
    "factors": ("sandbox.desk", "factors"),
    "tier": ("sandbox.desk", "tier"),
    "till": ("sandbox.desk", "till"),
    "vouchers": ("sandbox.vouchers", "main"),
    "test": ("sandbox.checks", "test"),
    "lint": ("sandbox.checks", "lint"),
    "menus": ("sandbox.checks", "menus"),
    "openapi": ("sandbox.checks", "openapi"),
    "bench": ("sandbox.checks", "bench"),
    "chaos": ("sandbox.checks", "chaos"),
    "lock": ("sandbox.checks", "lock"),
}

MISUSED = 2


def main(arguments: list[str]) -> int:
    """Carry out one command; the answer is the exit status."""
    command, *rest = arguments or ["start"]
    if command in {"help", "-h", "--help"}:
        print(_HELP, end="")
        return 0
    if command not in _COMMANDS:
        print(f"./run: there is no command {command!r}; see ./run help", file=sys.stderr)
        return MISUSED
    if rest and command in {"start", "lint", "lock", "openapi"}:
        print(f"./run {command}: takes no arguments, but got {rest[0]!r}", file=sys.stderr)
        return MISUSED
    module, function = _COMMANDS[command]
    status: int = getattr(importlib.import_module(module), function)(rest)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
