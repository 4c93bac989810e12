"""
Sanctions lists in files: CSV with a heading, or JSON, an array of objects or one after another.

The columns are `id`, `name`, `aliases`, `numbers` and `born`; of CSV, several values in one are
divided by `;`. OpenSanctions' `targets.simple.csv` is understood as it is: its `birth_date` and
`phones` are taken for `born` and `numbers`, its other columns passed over.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from core import msisdn
from core.errors import DomainError
from core.names import words_of
from core.sanctions import Entry

BYTES_MAX: Final = 200_000_000
_FAULTS_SHOWN: Final = 20
_VALUES_MAX: Final = 500
_LENGTH_MAX: Final = 500
_SYNONYMS: Final = {"birth_date": "born", "phones": "numbers"}
_BORN: Final = re.compile(r"(1[89]|20)[0-9]{2}(-[0-9]{2}(-[0-9]{2})?)?")

Row = tuple[int, Mapping[str, Any]]


class BadList(ValueError):
    """The file cannot be loaded; the words say what is wrong, line by line."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Take every fault; only the first are shown."""
        shown = list(faults[:_FAULTS_SHOWN])
        if len(faults) > len(shown):
            shown.append(f"and {len(faults) - len(shown)} more")
        super().__init__("\n".join(shown))
        self.faults = tuple(faults)


def read(path: Path) -> list[Entry]:
    """
    Read a whole list.

    Raises:
        BadList: It is no list, it is empty, or some of its lines are wrong.
    """
    try:
        if path.stat().st_size > BYTES_MAX:
            raise BadList([f"{path} is larger than {BYTES_MAX // 1_000_000} MB"])
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadList([f"{path.resolve()} cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadList([f"line {line}: not UTF-8; save the file as UTF-8"]) from None
    rows = {".csv": _csv, ".json": _json, ".jsonl": _json}.get(path.suffix.lower())
    if rows is None:
        raise BadList([f"{path.name}: name the file .csv, .json or .jsonl, for what it is"])
    return _entries(rows(content))


def _entries(rows: Iterator[Row]) -> list[Entry]:
    faults: list[str] = []
    entries: list[Entry] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        entry, wrong = _entry(row)
        if entry is not None and entry.list_id in lines:
            wrong.append(f"id {entry.list_id!r} stands in line {lines[entry.list_id]} already")
        faults += [f"line {line}: {each}" for each in wrong]
        if entry is not None and not wrong:
            lines[entry.list_id] = line
            entries.append(entry)
    if faults:
        raise BadList(faults)
    if not entries:
        raise BadList(["there is no entry in it; a list is never emptied by loading"])
    return entries


def _csv(content: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    try:
        missing = {"id", "name"} - set(reader.fieldnames or ())
        if missing:
            raise BadList([f"line 1: no column {each!r}" for each in sorted(missing)])
        line = reader.line_num + 1
        for row in reader:
            if None in row or None in row.values():
                yield line, {"": "more or fewer values than there are columns"}
            else:
                yield line, {name: _divided(name, value) for name, value in row.items()}
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadList([f"line {reader.line_num}: {error}"]) from None


def _divided(name: str, value: str) -> object:
    if _SYNONYMS.get(name, name) in {"aliases", "numbers", "born"}:
        return [each.strip() for each in value.split(";") if each.strip()]
    return value


def _json(content: str) -> Iterator[Row]:
    decoder = json.JSONDecoder()
    place, line = 0, 1
    begun = re.compile(r"[\s,\[\]]*")
    while True:
        match = begun.match(content, place)
        assert match is not None, "it matches nothing at least"
        line += content.count("\n", place, match.end())
        place = match.end()
        if place == len(content):
            return
        try:
            row, end = decoder.raw_decode(content, place)
        except (json.JSONDecodeError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "too deep"
            raise BadList([f"line {line}: not JSON: {why}"]) from None
        yield line, row if isinstance(row, dict) else {"": "an entry is an object"}
        line += content.count("\n", place, end)
        place = end


def _entry(row: Mapping[str, Any]) -> tuple[Entry | None, list[str]]:
    """An entry, and what is wrong with it."""
    if "" in row:
        return None, [str(row[""])]
    named = {_SYNONYMS.get(name, name): value for name, value in row.items()}
    wrong: list[str] = []
    list_id, name = _one(named, "id", wrong), _one(named, "name", wrong)
    if name and not words_of(name):
        wrong.append(f"name {name!r} has no letter")
    aliases = tuple(_several(named, "aliases", wrong))
    numbers = tuple(_number(each, wrong) for each in _several(named, "numbers", wrong))
    born = tuple(_several(named, "born", wrong))
    wrong += [
        f"born {each!r}: write 1970, 1970-12 or 1970-12-31" for each in born if not _is_date(each)
    ]
    return Entry(list_id, name, aliases, numbers, born), wrong


def _one(row: Mapping[str, Any], name: str, wrong: list[str]) -> str:
    value = row.get(name)
    said = str(value).strip() if isinstance(value, str | int) else ""
    if not 0 < len(said) <= _LENGTH_MAX:
        wrong.append(f"no {name}" if not said else f"{name} is longer than {_LENGTH_MAX}")
    return said


def _several(row: Mapping[str, Any], name: str, wrong: list[str]) -> list[str]:
    values = row.get(name) or []
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        wrong.append(f"{name} is no list of texts")
        return []
    if len(values) > _VALUES_MAX or any(len(each) > _LENGTH_MAX for each in values):
        wrong.append(f"{name} are too many, or one is too long")
        return []
    return [each.strip() for each in values if each.strip()]


def _number(said: str, wrong: list[str]) -> str:
    """A telephone number in E.164; those of other countries begin with their plus."""
    digits = re.sub(r"[\s().-]", "", said)
    try:
        return msisdn.claimed(digits) if digits.startswith("+") else msisdn.parse(digits)
    except DomainError:
        wrong.append(f"number {said!r}: write +254712345678")
        return ""


def _is_date(said: str) -> bool:
    if not _BORN.fullmatch(said):
        return False
    try:
        date.fromisoformat((said + "-01-01")[:10])
    except ValueError:
        return False
    return True
