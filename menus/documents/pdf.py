"""
A statement as PDF: A4 pages with a head on each, in a font that travels with the file.

The same statement, issued at the same instant, is the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import TTFFont

from core.money import Money
from core.statements import Line, Statement, StatementTooLong
from core.subscribers import Language
from menus.documents import words
from menus.text import Text

# What a PDF is made in grows with its pages: this is a thousand of them.
LINES_MAX: Final = 25_000
_FONTS: Final = Path(__file__).parents[1] / "fonts"
_FONT: Final = "DejaVu"

# Millimetres and points.
_MARGIN: Final = 14.0
_ROW: Final = 6.6
_SECOND: Final = 3.0
_FOOT: Final = 18.0
_SIZE: Final = 7.5
_INK: Final = (33, 37, 41)
_FAINT: Final = (110, 117, 125)
_SHADE: Final = (243, 245, 247)
_RULE: Final = (206, 212, 218)


@dataclass(frozen=True, slots=True)
class _Column:
    title: Text
    width: float
    is_figure: bool = False


_COLUMNS: Final = (
    _Column(words.TIME, 25.5),
    _Column(words.REFERENCE, 22.0),
    _Column(words.DETAILS, 44.0),
    _Column(words.PAID_IN, 23.5, is_figure=True),
    _Column(words.PAID_OUT, 23.5, is_figure=True),
    _Column(words.FEE, 17.5, is_figure=True),
    _Column(words.BALANCE, 26.0, is_figure=True),
)


def make(
    statement: Statement, lines: Iterable[Line], language: Language, *, issued_at: datetime
) -> bytes:
    """
    Make the file.

    Raises:
        StatementTooLong: It would have more than a thousand pages.
    """
    if statement.lines_count > LINES_MAX:
        raise StatementTooLong(lines_max=LINES_MAX)
    sheet = _Sheet(statement, language, issued_at)
    sheet.add_page()
    sheet.introduce()
    if not statement.lines_count:
        sheet.say(words.NO_LINES.render(language))
    else:
        sheet.head()
        for number, line in enumerate(lines):
            sheet.row(line, is_shaded=number % 2 == 1)
    return bytes(sheet.output())


class _Sheet(FPDF):
    """The pages. Every one of them begins with whose they are, and the columns' titles."""

    def __init__(self, statement: Statement, language: Language, issued_at: datetime) -> None:
        super().__init__(format="A4")
        self._statement, self._language, self._issued_at = statement, language, issued_at
        self.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self.set_auto_page_break(auto=False)
        self.add_font(_FONT, "", _FONTS / "DejaVuSansCondensed.ttf")
        self.add_font(_FONT, "B", _FONTS / "DejaVuSansCondensed-Bold.ttf")
        self.set_creation_date(issued_at)
        self.set_title(f"{self._say(words.TITLE)} {statement.wallet_number}")
        self.set_producer("Kabambe")
        self.set_lang(language.value)
        self.set_display_mode("fullwidth")
        self.set_draw_color(*_RULE)
        self.set_fill_color(*_SHADE)

    def _printable(self, said: str) -> str:
        """What the font cannot print is a question mark, not a box."""
        font = self.fonts[_FONT.lower()]
        assert isinstance(font, TTFFont)
        return "".join(each if ord(each) in font.cmap else "?" for each in said)

    def _say(self, what: Text) -> str:
        return what.render(self._language)

    def header(self) -> None:
        """Whose statement this is."""
        self.set_xy(_MARGIN, _MARGIN)
        self._ink(bold=True, size=13)
        self.cell(90, 7, "Kabambe")
        self._ink(size=9, faint=True)
        told = f"{self._say(words.TITLE)}, {words.period(self._statement)}"
        self.cell(0, 7, told, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.line(_MARGIN, self.get_y() + 1, self.w - _MARGIN, self.get_y() + 1)
        self.set_y(self.get_y() + 4)

    def footer(self) -> None:
        """Which page of how many."""
        self.set_y(-_FOOT + 4)
        self.line(_MARGIN, self.get_y(), self.w - _MARGIN, self.get_y())
        self._ink(size=7, faint=True)
        holder = self._printable(f"{self._statement.holder}, {self._statement.wallet_number}")
        self.cell(120, 6, self._cut(holder, 118))
        page = Text(words.PAGE.msgid, {"number": self.page_no(), "count": "{nb}"})
        self.cell(0, 6, self._say(page), align="R")

    def introduce(self) -> None:
        """The first page's own: the holder, and the figures that add up."""
        about = [
            (words.HOLDER, self._printable(self._statement.holder)),
            (words.NUMBER, self._statement.wallet_number),
            (words.PHONE, self._statement.msisdn),
            (words.ACCOUNT, words.account(self._statement, self._language)),
            (words.PERIOD, words.period(self._statement)),
            (words.ISSUED, words.minute(self._issued_at)),
        ]
        top = self.get_y()
        for title, said in about:
            self._ink(size=8, faint=True)
            self.cell(30, 5.4, self._say(title))
            self._ink(size=8.5, bold=title is words.HOLDER)
            self.multi_cell(66, 5.4, said, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        bottom, self.y = self.get_y(), top
        for title, money in words.summary(self._statement):
            is_end = title in (words.OPENING, words.CLOSING)
            rule = "T" if title is words.CLOSING else ""
            self.set_x(118)
            self._ink(size=8.5, bold=is_end)
            self.cell(34, 6.2, self._say(title), border=rule)
            said = str(money) if is_end else money.figures
            room = self.w - _MARGIN - self.get_x()
            self._ink(size=self._fitting(said, room, 8.5), bold=is_end)
            self.cell(room, 6.2, said, align="R", border=rule)
            self.ln(6.2)
        self.set_y(max(bottom, self.get_y()) + 2)
        self._ink(size=7, faint=True)
        self.cell(0, 5, self._say(words.TIMES), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1)

    def say(self, words_: str) -> None:
        """A line of words."""
        self._ink(size=9)
        self.cell(0, 10, words_, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def head(self) -> None:
        """The titles of the columns."""
        self._ink(size=_SIZE, bold=True)
        for column in _COLUMNS:
            title = self._cut(self._say(column.title), column.width)
            align = "R" if column.is_figure else "L"
            self.cell(column.width, _ROW, title, align=align, border="B", fill=True)
        self.ln(_ROW)

    def row(self, line: Line, *, is_shaded: bool) -> None:
        """One line, on a new page when this one is full; below what it is, who was on it."""
        other = self._printable(words.other(line))
        height = _ROW + (_SECOND if other else 0)
        if self.get_y() + height > self.h - _FOOT:
            self.add_page()
            self.head()
        left, top = self.get_x(), self.get_y()
        if is_shaded:
            self.rect(left, top, self.epw, height, style="F")
        self._ink(size=_SIZE)
        is_in = line.amount.minor > 0
        cells = (
            words.minute(line.at),
            line.reference,
            words.movement(line, self._language),
            line.amount.figures if is_in else "",
            "" if is_in else (-line.amount).figures,
            _unless_zero(line.fee),
            line.balance.figures,
        )
        for column, said in zip(_COLUMNS, cells, strict=True):
            if column.is_figure:
                self._figure(said, column.width)
            else:
                self.cell(column.width, _ROW, self._cut(said, column.width))
        if other:
            self.set_xy(left + sum(column.width for column in _COLUMNS[:2]), top + _ROW - 1.6)
            self._ink(size=_SIZE - 0.8, faint=True)
            width = _COLUMNS[2].width
            self.cell(width, 3.6, self._cut(other, width))
        self.set_xy(left, top + height)

    def _figure(self, said: str, width: float) -> None:
        """An amount is never cut: a very long one is printed smaller."""
        self._ink(size=self._fitting(said, width, _SIZE))
        self.cell(width, _ROW, said, align="R")
        self._ink(size=_SIZE)

    def _fitting(self, said: str, width: float, size: float) -> float:
        """The size at which it fits, no larger than the one of now."""
        padding = 2 * float(self.c_margin)
        needed = self._width(said) - padding
        return min(size, size * (width - padding) / needed) if needed else size

    def _cut(self, said: str, width: float) -> str:
        """As much of it as fits, in the font of now."""
        if self._width(said) <= width:
            return said
        while said and self._width(said + "…") > width:
            said = said[:-1]
        return said + "…"

    def _width(self, said: str) -> float:
        return float(self.get_string_width(said)) + 2 * float(self.c_margin)

    def _ink(self, *, size: float, bold: bool = False, faint: bool = False) -> None:
        self.set_font(_FONT, "B" if bold else "", size)
        self.set_text_color(*(_FAINT if faint else _INK))


def _unless_zero(money: Money) -> str:
    return money.figures if money.minor else ""
