"""Statements on paper and as files: every line is there, and nothing is cut that is money."""

from __future__ import annotations

import csv as standard
import hashlib
import io
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from fpdf import FPDF

from core.ledger import Reason
from core.money import Currency, Money
from core.statements import Line, Period, Statement, StatementTooLong
from core.subscribers import Language
from menus.documents import csv, pdf, plain, words
from menus.languages import spoken

ISSUED = datetime(2026, 12, 1, 5, tzinfo=UTC)
BEGIN = datetime(2026, 11, 1, 6, tzinfo=UTC)
MOST = 10**15


def statement(lines, *, currency=Currency.KES, holder="Wanjiru", opening=0):
    moved = [line.moved.minor for line in lines]
    shown = [line.amount.minor for line in lines]
    return Statement(
        holder=holder,
        msisdn="+254712000001",
        wallet_number="3847363387174",
        account=1,
        place="main",
        period=Period.days(date(2026, 11, 1), date(2026, 12, 1)),
        after=0,
        last=len(lines),
        opening=Money(opening, currency),
        paid_in=Money(sum(each for each in shown if each > 0), currency),
        paid_out=Money(sum(each for each in shown if each < 0), currency),
        fees=Money(sum(line.fee.minor for line in lines), currency),
        closing=Money(opening + sum(moved), currency),
    )


def lines(count, *, currency=Currency.KES, name="Otieno", scale=1, opening=0):
    found, balance = [], opening
    reasons = list(Reason)
    for number in range(1, count + 1):
        out = number % 3 == 0
        amount = (-700 if out else 1000 + number) * scale
        fee = 7 * scale if out else 0
        balance += amount - fee
        found.append(
            Line(
                number=number,
                at=BEGIN + timedelta(minutes=number, microseconds=number),
                reason=reasons[number % len(reasons)],
                amount=Money(amount, currency),
                fee=Money(fee, currency),
                balance=Money(balance, currency),
                reference=f"TQ7X{number:06}",
                name=name,
                msisdn="+254733000002" if name else "",
            )
        )
    return found


class TestCsv:
    def read(self, of, movements):
        told = "".join(csv.rows(of, movements, Language.ENGLISH))
        return told, list(standard.DictReader(io.StringIO(told, newline="")))

    def test_adds_up(self):
        movements = lines(50)
        told, rows = self.read(statement(movements, opening=5_00), lines(50, opening=5_00))
        assert [row["kind"] for row in (rows[0], rows[-1])] == ["opening", "closing"]
        moved = sum(Decimal(row["amount"]) - Decimal(row["fee"]) for row in rows[1:-1])
        assert Decimal(rows[0]["balance"]) + moved == Decimal(rows[-1]["balance"])
        assert len(rows) == 52
        assert told.count("\r\n") == 53

    def test_is_exact_to_the_last_satoshi(self):
        movements = [lines(1, currency=Currency.BTC, scale=1)[0]]
        _, rows = self.read(statement(movements, currency=Currency.BTC), movements)
        assert rows[1]["amount"] == "0.00001001"
        assert rows[1]["currency"] == "BTC"
        assert rows[1]["time"] == "2026-11-01T09:01:00.000001+03:00"

    @pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n"])
    def test_no_spreadsheet_takes_a_name_for_a_formula(self, begins):
        evil = f'{begins}HYPERLINK("x","y")'
        movements = lines(1, name=evil)
        _, rows = self.read(statement(movements), movements)
        assert rows[1]["other_party"] == f"'{evil} 0733***002"

    def test_quotes_what_needs_it(self):
        movements = lines(1, name='A "B", C\nD')
        told, rows = self.read(statement(movements), movements)
        assert '"A ""B"", C\nD 0733***002"' in told
        assert rows[1]["other_party"] == 'A "B", C\nD 0733***002'

    def test_amounts_stay_numbers(self):
        movements = lines(3)
        _, rows = self.read(statement(movements), movements)
        assert rows[3]["amount"] == "-7.00"

    def test_a_million_lines_are_never_all_in_memory(self):
        seen = 0

        def endless():
            nonlocal seen
            while True:
                seen += 1
                yield lines(1)[0]

        rows = csv.rows(statement([]), endless(), Language.ENGLISH)
        for _ in range(10):
            next(rows)
        assert seen <= 10


class TestText:
    def test_tells_everything(self):
        movements = lines(5)
        told = "".join(plain.rows(statement(movements), movements, Language.KISWAHILI))
        assert "Salio la mwisho" in told
        assert all(line.reference in told for line in movements)
        assert all(line.balance.figures in told for line in movements)

    def test_says_that_nothing_moved(self):
        assert "No movements" in "".join(plain.rows(statement([]), [], Language.ENGLISH))


@pytest.fixture
def written(monkeypatch):
    """What is written where on which page, as the pages are made."""
    cells = []
    original = FPDF.cell

    def cell(self, w=None, h=None, text="", **how):
        width = self.get_string_width(text) + 2 * self.c_margin
        room = w or self.w - self.r_margin - self.x
        cells.append((self.page_no(), self.x, self.y, text, width, room))
        return original(self, w, h, text, **how)

    monkeypatch.setattr(pdf._Sheet, "cell", cell)
    return cells


def made(of, movements, language=Language.ENGLISH):
    return pdf.make(of, movements, language, issued_at=ISSUED)


def pages(data):
    return len(re.findall(rb"/Type /Page\b(?!s)", data))


class TestPdf:
    @pytest.mark.parametrize("language", spoken())
    def test_every_line_is_there_and_every_page_has_its_head(self, written, language):
        movements = lines(400)
        data = made(statement(movements), movements, language)
        count = pages(data)
        assert count > 10
        for line in movements:
            texts = {cell[3] for cell in written}
            assert {line.reference, line.balance.figures} <= texts
        title = words.BALANCE.render(language)
        for page in range(1, count + 1):
            texts = [cell[3] for cell in written if cell[0] == page]
            assert texts.count(title) == 1
            assert any(text.endswith("{nb}") and f" {page} " in text for text in texts)

    @pytest.mark.parametrize(
        ("currency", "scale"),
        [(Currency.KES, 10**9), (Currency.BTC, 10**11), (Currency.USDT, 10**9)],
    )
    def test_nothing_is_wider_than_its_place(self, written, currency, scale):
        movements = lines(60, currency=currency, scale=scale, name="W" * 20)
        of = statement(movements, currency=currency, holder="W" * 200, opening=MOST)
        made(of, movements)
        for page, x, y, text, width, room in written:
            if "{nb}" not in text:
                assert width <= room + 0.01, (page, text, width, room)
            assert x >= 13
            assert y < 297 - 10

    def test_rows_stay_above_the_foot(self, written):
        movements = lines(100)
        made(statement(movements), movements)
        references = {line.reference for line in movements}
        assert max(cell[2] for cell in written if cell[3] in references) < 297 - 18

    def test_is_the_same_bytes_each_time(self):
        movements = lines(60)
        one, two = (made(statement(movements), movements) for _ in range(2))
        assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest()
        later = pdf.make(
            statement(movements),
            movements,
            Language.ENGLISH,
            issued_at=ISSUED + timedelta(minutes=1),
        )
        assert later != one

    def test_brings_its_font_along(self):
        data = made(statement([]), [])
        assert data.startswith(b"%PDF-")
        assert data.count(b"/FontFile2") == 2

    def test_prints_the_letters_of_our_neighbours_and_owns_up_to_others(self, written):
        made(statement([], holder="Ọláńrewájú Ng'ang'a Müller"), [])
        assert any("Ọláńrewájú" in cell[3] for cell in written)
        written.clear()
        made(statement([], holder="\u4e2d\u6587"), [])
        assert any(cell[3].startswith("??, 384") for cell in written)

    def test_says_that_nothing_moved(self, written):
        assert pages(made(statement([]), [])) == 1
        assert "No movements in this period." in {cell[3] for cell in written}

    def test_has_an_end(self):
        movements = lines(3)
        of = statement(movements)
        long = Statement(
            **{name: getattr(of, name) for name in of.__slots__} | {"last": pdf.LINES_MAX + 1}
        )
        with pytest.raises(StatementTooLong):
            made(long, movements)


def test_every_reason_has_words():
    assert set(words.MOVEMENTS) == set(Reason)
