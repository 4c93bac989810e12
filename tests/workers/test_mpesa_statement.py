"""Safaricom's organisation statement: what of it are payments, and whose account it is of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from rail import opened

from core.statements import Period
from workers.bills import Misread
from workers.daraja.statement import OrganisationStatement

COLUMNS = (
    "Receipt No.,Completion Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Reason Type"
)
RECEIPT = "RKL51ZDR4F"
DAY = Period(datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC))


@pytest.fixture
def statement(tmp_path):
    def written(*lines, of="174379", **ours):
        path = tmp_path / "statement.csv"
        path.write_text("\n".join((f"Short Code:,{of}", COLUMNS, *lines)) + "\n")
        return OrganisationStatement(path, **ours)

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


class TestOurSide:
    @pytest.fixture
    def rail(self, house):
        with opened(house) as found:
            found.fund()
            yield found

    @pytest.fixture
    def around(self, rail, wanjiru):
        """When KES 500 has come in, and KES 100 has gone out."""
        rail.settle(rail.prompt(wanjiru), receipt=RECEIPT)
        rail.complete(rail.payout(wanjiru, 100_00))
        return Period(rail.now - timedelta(hours=1), rail.now + timedelta(hours=1))

    def amounts(self, rail, found, around):
        with rail.house.databases["worker"]() as session:
            return sorted(int(each.amount) for each in found.ours(session, around))

    @pytest.mark.parametrize(
        ("of", "amounts"), [("174379", [500]), ("600992", [-100]), ("", [-100, 500])]
    )
    def test_is_what_went_over_the_shortcode_that_it_is_of(
        self, rail, statement, around, of, amounts
    ):
        found = statement(of=of, collects="174379", pays_out="600992")
        assert self.amounts(rail, found, around) == amounts

    def test_is_all_where_one_shortcode_does_both(self, rail, statement, around):
        found = statement(collects="174379", pays_out="174379")
        assert self.amounts(rail, found, around) == [-100, 500]

    def test_nor_is_anybody_elses_compared(self, rail, statement, around):
        found = statement(of="999999", collects="174379", pays_out="600992")
        with pytest.raises(Misread, match="999999 is no shortcode of ours"):
            self.amounts(rail, found, around)
