"""
The statement of a shortcode's account, as the M-PESA organisation portal exports it.

`GET /daraja/control/statement?shortcode=174379&account=Utility Account` gives the CSV: a few lines
about the account, then the columns of the portal, newest first, times `dd-MM-yyyy HH:mm:ss` in
Nairobi, amounts with two places, and what was withdrawn as a negative number. Besides `shortcode`
(the paybill) and `account` (`Utility Account`) it takes `from` and `to`, as `2026-11-28T00:00:00`
in Nairobi. The heading lines are left out with `bare=1`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sandbox.daraja.book import Book, Line, Organisation

COLUMNS = (
    "Receipt No.",
    "Completion Time",
    "Initiation Time",
    "Details",
    "Transaction Status",
    "Paid In",
    "Withdrawn",
    "Balance",
    "Balance Confirmed",
    "Reason Type",
    "Other Party Info",
    "Linked Transaction ID",
    "A/C No.",
)


def exported(
    book: Book,
    organisation: Organisation,
    account: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    bare: bool = False,
) -> str:
    """Write the statement of one account."""
    with book.lock:
        lines = [
            each
            for each in book.lines
            if each.shortcode == organisation.shortcode
            and each.account == account
            and (start is None or each.at >= start)
            and (end is None or each.at < end)
        ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    if not bare:
        writer.writerows(_heading(organisation, account, lines))
    writer.writerow(COLUMNS)
    writer.writerows(map(_row, reversed(lines)))
    return out.getvalue()


def _heading(
    organisation: Organisation, account: str, lines: Sequence[Line]
) -> list[Sequence[str]]:
    opening = lines[0].balance - lines[0].change if lines else organisation.accounts[account]
    closing = lines[-1].balance if lines else organisation.accounts[account]
    paid = sum((each.change for each in lines if each.change > 0), Decimal(0))
    withdrawn = sum((each.change for each in lines if each.change < 0), Decimal(0))
    return [
        ("Organization Statement",),
        ("Short Code:", organisation.shortcode),
        ("Organization Name:", organisation.name),
        ("Account:", account),
        ("Opening Balance:", f"{opening:.2f}", "Closing Balance:", f"{closing:.2f}"),
        ("Total Paid In:", f"{paid:.2f}", "Total Withdrawn:", f"{withdrawn:.2f}"),
        (),
    ]


def _row(line: Line) -> list[str]:
    of = line.transaction
    return [
        of.receipt,
        f"{line.at:%d-%m-%Y %H:%M:%S}",
        f"{of.initiated:%d-%m-%Y %H:%M:%S}",
        line.details,
        of.status,
        f"{line.change:.2f}" if line.change > 0 else "",
        f"{line.change:.2f}" if line.change < 0 else "",
        f"{line.balance:.2f}",
        "true",
        line.reason,
        line.other_party,
        of.linked,
        of.account,
    ]
