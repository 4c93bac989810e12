"""
`python -m workers.desk_staff staff {add,reset,end,list}`: who works here, and may log in.

The password is typed by whose it is; the secret of the second factor is shown this once.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence

from sqlalchemy.orm import Session

from core import staff_logins
from core.at_rest import Chest
from core.pins import Hasher
from core.settings import load
from core.staff_logins import Enrolled
from workers.desk import signature, sit
from workers.desk_seat import Desk, Unfit


def _password() -> str:
    # Not as an argument: those are kept by shells, and shown by process lists.
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    typed = getpass.getpass("Their password (they type it): ")
    if getpass.getpass("Once more: ") != typed:
        raise Unfit("It was not the same the second time.")
    return typed


def _enrol(desk: Desk, given: argparse.Namespace) -> None:
    enrol = staff_logins.add if given.what == "add" else staff_logins.reset
    password, settings = _password(), load()

    def work(session: Session) -> Enrolled:
        return enrol(
            session,
            name=given.name,
            password=password,
            hasher=Hasher(desk.pepper),
            chest=Chest(settings.at_rest_key.get_secret_value()),
            actor=desk.actor,
            now=desk.now,
        )

    try:
        made = desk.do(work)
    except staff_logins.Unfit as error:
        raise Unfit(str(error)) from None
    name = staff_logins.signature(given.name)
    print(f"{name} may log in. For their authenticator, shown this once:")
    print(f"  {made.secret}\n  {made.address}")


def _end(desk: Desk, given: argparse.Namespace) -> None:
    try:
        desk.do(
            lambda session: staff_logins.end(
                session, name=given.name, actor=desk.actor, now=desk.now
            )
        )
    except staff_logins.Unfit as error:
        raise Unfit(str(error)) from None
    print(f"{staff_logins.signature(given.name)} works here no longer, and is logged in nowhere.")


def _list(desk: Desk, given: argparse.Namespace) -> None:  # noqa: ARG001 - as all commands
    found = desk.do(staff_logins.listed)
    for each in found:
        until = f", until {each.ended_at:%F}" if each.ended_at else ""
        print(f"{each.name}  since {each.made_at:%F}{until}")
    if not found:
        print("Nobody ever worked here.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run", description=__doc__)
    top = parser.add_subparsers(dest="command", required=True).add_parser("staff")
    commands = top.add_subparsers(required=True)
    for name, do, what in (
        ("add", _enrol, "let somebody work here"),
        ("reset", _enrol, "set both their factors anew"),
        ("end", _end, "let them work here no longer"),
    ):
        made = commands.add_parser(name, help=what)
        made.add_argument("name")
        made.add_argument("--by", required=True, type=signature, help="who you are: a name")
        made.set_defaults(do=do, what=name)
    listing = commands.add_parser("list", help="everybody who ever did")
    # It is kept nowhere who has read it, so nobody is asked; a user of a container has no name.
    listing.set_defaults(do=_list, by="nobody")
    return parser


def main(argv: Sequence[str]) -> int:
    """Do one thing; the answer is the exit status."""
    return sit(_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
