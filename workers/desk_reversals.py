"""
What staff do about transfers that are asked back, and about the debts that some of them leave.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from typing import Final

from core import debts, reversals
from core.debts import Debt
from workers.desk_seat import Desk

ALL: Final = "all"
_PAGE: Final = 50


def listed(desk: Desk, given: argparse.Namespace) -> None:
    """List what waits for a decision."""
    found = desk.do(lambda session: reversals.requested(session, after=given.after))
    for each in found:
        print(
            f"{each.id}  {each.reference}  {each.amount} from {each.sender} to {each.recipient};"
            f" asked by {each.requested_by} {each.requested_at:%F %R}Z: {each.reason}"
        )
    if not found:
        print("No reversal waits for a decision.")


def request(desk: Desk, given: argparse.Namespace) -> None:
    """Keep that somebody wants a transfer back."""
    subscriber = desk.subscriber(given.number)
    reversal = desk.do(
        lambda session: reversals.request(
            session,
            subscriber=subscriber,
            reference=given.reference,
            actor=desk.actor,
            reason=given.why,
            now=desk.now,
        )
    )
    print(f"Reversal {reversal}: somebody else must `reversals approve` it.")


def decide(desk: Desk, given: argparse.Namespace) -> None:
    """Approve or decline one."""
    act = reversals.approve if given.what == "approve" else reversals.decline
    desk.do_with_money(
        lambda session: act(
            session, reversal=given.reversal, actor=desk.actor, note=given.why, now=desk.now
        )
    )
    print(f"Reversal {given.reversal} is {given.what}d.")


def owed(desk: Desk, given: argparse.Namespace) -> None:
    """List who owes us how much, and what they have by now."""
    found = desk.do(lambda session: debts.listed(session, after=given.after, count=_PAGE))
    for each in found:
        print(f"{each.account}  {each.msisdn} owes {each.owed}, has {each.has}")
    if not found:
        print("Nobody owes us anything.")


def collect(desk: Desk, given: argparse.Namespace) -> None:
    """Take what somebody owes us, or everybody, as far as they have it."""
    if given.number == ALL:
        people = {each.subscriber: each.msisdn for each in _all(desk) if each.has.minor}
    else:
        people = {desk.subscriber(given.number): given.number}
    taken = 0
    for subscriber, number in people.items():
        act = partial(debts.collect, subscriber=subscriber, actor=desk.actor, now=desk.now)
        for each in desk.do_with_money(partial(act, note=given.why)):
            print(f"{number}: {each.amount} collected, {each.owed} still owed.")
            taken += 1
    if not taken:
        print("There is nothing to collect.")


def _all(desk: Desk) -> Iterator[Debt]:
    after = 0
    while found := desk.do(partial(debts.listed, after=after, count=_PAGE)):
        yield from found
        after = found[-1].account
