"""
What staff decide about money that nobody can place, and about what contradicts itself.
"""

from __future__ import annotations

import argparse

from core import resolutions, subscribers, suspense
from core.suspense import Case
from workers.desk_seat import Desk


def listed(desk: Desk, given: argparse.Namespace) -> None:
    """List what staff must look at."""
    found = desk.do(lambda session: suspense.listed(session, after=given.after))
    for each in found:
        print(_said(each))
    if not found:
        print("No case of suspense is open.")


def show(desk: Desk, given: argparse.Namespace) -> None:
    """Show one case, and all that was told of it."""
    found = desk.do(lambda session: suspense.get(session, case=given.case))
    print(_said(found))
    for fact in found.evidence:
        print("  " + ", ".join(f"{name} {value}" for name, value in fact.items()))
    if found.closed_at is not None:
        print(f"  {found.outcome} by {found.closed_by} {found.closed_at:%F %T}Z: {found.note}")


def _said(case: Case) -> str:
    receipt = f"  receipt {case.receipt}" if case.receipt else ""
    return (
        f"{case.id}  {case.kind}  {case.subject}  {case.money}  {case.state}"
        f"  {case.opened_at:%F %R}Z{receipt}"
    )


def credit(desk: Desk, given: argparse.Namespace) -> None:
    """Give what stands in suspense to somebody."""
    subscriber = desk.do(lambda session: subscribers.recipient(session, msisdn=given.number))
    desk.do_with_money(
        lambda session: resolutions.credit(
            session,
            case=given.case,
            person=subscriber,
            actor=desk.actor,
            note=given.why,
            now=desk.now,
        )
    )
    print(f"Case {given.case}: {given.number} has the money.")


def close(desk: Desk, given: argparse.Namespace) -> None:
    """Close a case: its money had never come, or it has none."""
    decide = resolutions.strike if given.what == "strike" else resolutions.dismiss
    desk.do_with_money(
        lambda session: decide(
            session, case=given.case, actor=desk.actor, note=given.why, now=desk.now
        )
    )
    print(f"Case {given.case} is closed.")


def decide(desk: Desk, given: argparse.Namespace) -> None:
    """Say of a payout whether it was paid."""
    desk.do_with_money(
        lambda session: resolutions.decide_payout(
            session,
            case=given.case,
            is_paid=given.what == "paid",
            actor=desk.actor,
            note=given.why,
            now=desk.now,
        )
    )
    print(f"Case {given.case}: the payout is taken as {given.what}.")
