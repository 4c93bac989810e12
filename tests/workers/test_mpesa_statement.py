"""Safaricom's organisation statement: what of it are payments."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.statements import Period
from workers.daraja.statement import OrganisationStatement

COLUMNS = (
    "Receipt No.,Completion Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Reason Type"
)
RECEIPT = "RKL51ZDR4F"
DAY = Period(datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC))


@pytest.fixture
def statement(tmp_path):
    def written(*lines):
        path = tmp_path / "statement.csv"
        path.write_text("\n".join(("Short Code:,174379", COLUMNS, *lines)) + "\n")
        return OrganisationStatement((path,))

    return written


def line(details: str, reason: str, *, paid_in: str = "", withdrawn: str = "") -> str:
    at = "28-11-2026 12:00:00"
    return f"{RECEIPT},{at},{details},Completed,{paid_in},{withdrawn},0.00,{reason}"


@pytest.mark.parametrize("words", ["charge", "TRANSFER TO JANE", "top up", "revenue", "fee for me"])
@pytest.mark.parametrize(
    "details",
    [
        "Pay Bill from 254712***001 - WANJIRU Acc. {}",
        "Pay Bill Online from {} - 254712***001",
        "Business Payment to 254712000001 - {} via API.",
    ],
)
def test_what_a_stranger_typed_hides_no_payment(statement, details, words):
    found = statement(line(details.format(words), "Pay Bill", paid_in="500.00"))
    assert [each.amount for each in found.lines(DAY)] == [Decimal(500)]


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ("Fee For B2C Payment to 254712000001 - WANJIRU", "Business Payment to Customer via API"),
        ("Pay Bill Charge", "Pay Bill Charge"),
        ("Business Payment Charge", "Business Payment"),
        ("Funds moved", "Organization Settlement Account Transfer"),
        ("Merchant Account transfer to 600992 - KABAMBE", "B2B"),
    ],
)
def test_what_costs_or_moves_our_own_is_no_payment(statement, details, reason):
    assert list(statement(line(details, reason, withdrawn="-5.00")).lines(DAY)) == []
