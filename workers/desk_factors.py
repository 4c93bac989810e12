"""
`python -m workers.desk_factors factors {list,propose,approve,decline}`: lost second factors.

One member of staff has seen who somebody is, and proposes; another decides.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from core import lost_factors
from workers.desk import signature, sit
from workers.desk_seat import Desk


def _list(desk: Desk, given: argparse.Namespace) -> None:  # noqa: ARG001 - as all commands
    found = desk.do(lost_factors.proposed)
    for each, msisdn in found:
        print(
            f"{each.id}  {msisdn}; proposed by {each.proposed_by}"
            f" {each.proposed_at:%F %R}Z: {each.reason}"
        )
    if not found:
        print("Nobody's second factor waits to be removed.")


def _propose(desk: Desk, given: argparse.Namespace) -> None:
    subscriber = desk.subscriber(given.number)
    lost = desk.do(
        lambda session: lost_factors.propose(
            session, subscriber=subscriber, actor=desk.actor, reason=given.why, now=desk.now
        )
    )
    print(f"Lost factor {lost}: somebody else must `factors approve` it.")


def _decide(desk: Desk, given: argparse.Namespace) -> None:
    decide = lost_factors.approve if given.what == "approve" else lost_factors.decline
    desk.do(
        lambda session: decide(
            session, lost=given.lost, actor=desk.actor, note=given.why, now=desk.now
        )
    )
    done = "removed; its owner is told" if given.what == "approve" else "left as it is"
    print(f"The second factor is {done}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run", description=__doc__)
    top = parser.add_subparsers(dest="command", required=True).add_parser("factors")
    commands = top.add_subparsers(required=True)
    signed = argparse.ArgumentParser(add_help=False)
    signed.add_argument("--by", required=True, type=signature, help="who you are: a name")
    reasoned = argparse.ArgumentParser(add_help=False, parents=[signed])
    reasoned.add_argument("--why", required=True, help="your reason or note, in words")
    listing = commands.add_parser("list", parents=[signed], help="what waits for a decision")
    listing.set_defaults(do=_list)
    proposing = commands.add_parser("propose", parents=[reasoned], help="whose is lost")
    proposing.add_argument("number", help="their phone number")
    proposing.set_defaults(do=_propose)
    for name in ("approve", "decline"):
        deciding = commands.add_parser(name, parents=[reasoned], help="what somebody else proposed")
        deciding.add_argument("lost", type=int, help="its number in the list")
        deciding.set_defaults(do=_decide, what=name)
    return parser


def main(argv: Sequence[str]) -> int:
    """Do one thing; the answer is the exit status."""
    return sit(_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
