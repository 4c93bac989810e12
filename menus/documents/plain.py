"""
A statement as text in columns, for a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.statements import Line, Statement
from core.subscribers import Language
from menus.documents import words


def rows(statement: Statement, lines: Iterable[Line], language: Language) -> Iterator[str]:
    """The text, a line at a time, each with its line break."""
    about = [
        (words.HOLDER, statement.holder),
        (words.NUMBER, statement.wallet_number),
        (words.PHONE, statement.msisdn),
        (words.ACCOUNT, words.account(statement, language)),
        (words.PERIOD, words.period(statement)),
    ]
    for title, said in about:
        yield f"{title.render(language):<22}{said}\n"
    yield "\n"
    for title, money in words.summary(statement):
        yield f"{title.render(language):<22}{money.figures:>22}\n"
    yield "\n"
    if not statement.lines_count:
        yield words.NO_LINES.render(language) + "\n"
        return
    titles = [
        each.render(language)
        for each in (words.TIME, words.REFERENCE, words.DETAILS, words.FEE, words.BALANCE)
    ]
    yield f"{titles[0]:<17}{titles[1]:<12}{titles[2]:<56}{titles[3]:>12}{titles[4]:>22}\n"
    for line in lines:
        details = " ".join(filter(None, (words.movement(line, language), words.other(line))))
        yield (
            f"{words.minute(line.at):<17}{line.reference:<12}{details:<38.38}"
            f"{line.amount.figures:>18}{line.fee.figures:>12}{line.balance.figures:>22}\n"
        )
