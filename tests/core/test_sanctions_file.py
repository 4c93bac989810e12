"""Lists in files: what is understood, and what is told line by line."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import sanctions_file
from core.sanctions import Entry
from core.sanctions_file import BadList


@pytest.fixture
def read(tmp_path):
    def read(content, name="list.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return sanctions_file.read(path)

    return read


def faults(read, *given):
    with pytest.raises(BadList) as refused:
        read(*given)
    return refused.value.faults


def test_csv(read):
    found = read(
        "id,name,aliases,numbers,born\r\n"
        'A1,"Kony, Joseph",Josef Koni;J. Kony,+256 712-345678;0712345678,1961;1964-08-25\r\n'
        "A2,Somebody,,,\r\n"
    )
    assert found == [
        Entry(
            "A1",
            "Kony, Joseph",
            ("Josef Koni", "J. Kony"),
            ("+256712345678", "+254712345678"),
            ("1961", "1964-08-25"),
        ),
        Entry("A2", "Somebody"),
    ]


def test_opensanctions_simple_csv(read):
    found = read(
        '"id","schema","name","aliases","birth_date","countries","phones","dataset"\n'
        '"Q1","Person","Somebody Bad","Some Body","1970-01","ke;so","+252611234567","UN"\n'
    )
    assert found == [Entry("Q1", "Somebody Bad", ("Some Body",), ("+252611234567",), ("1970-01",))]


@pytest.mark.parametrize("name", ["list.json", "list.jsonl"])
@pytest.mark.parametrize("form", ["array", "lines"])
def test_json(read, name, form):
    rows = [
        {"id": "1", "name": "A B", "aliases": ["C D"], "born": ["1970"]},
        {"id": 2, "name": "E"},
    ]
    content = json.dumps(rows, indent=1) if form == "array" else "\n".join(map(json.dumps, rows))
    assert read(content, name) == [Entry("1", "A B", ("C D",), (), ("1970",)), Entry("2", "E")]


def test_every_bad_line_is_told_by_its_number(read):
    content = (
        "id,name,numbers,born\n"
        "1,Fine,,\n"
        ",No Id,,\n"
        '3,"Two\nlines",12,\n'
        "4,,,\n"
        "1,Again,,\n"
        "6,Born,,1970-13\n"
        "7,few\n"
        "8,1234,,\n"
    )
    assert faults(read, content) == (
        "line 3: no id",
        "line 4: number '12': write +254712345678",
        "line 6: no name",
        "line 7: id '1' stands in line 2 already",
        "line 8: born '1970-13': write 1970, 1970-12 or 1970-12-31",
        "line 9: more or fewer values than there are columns",
        "line 10: name '1234' has no letter",
    )


def test_bad_json_is_told_by_its_line(read):
    assert faults(read, '[\n {"id": "1", "name": "A"},\n {"id": }\n]', "l.json") == (
        "line 3: not JSON: Expecting value",
    )
    assert faults(read, '{"id": "1", "name": "A"}\n"B"\n', "l.jsonl") == (
        "line 2: an entry is an object",
    )
    assert faults(read, '\n{"id": "1", "name": "A", "aliases": "B"}', "l.jsonl") == (
        "line 2: aliases is no list of texts",
    )


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        ("", "list.csv", "line 1: no column"),
        ("id,name\n", "list.csv", "no entry"),
        ("[]", "list.json", "no entry"),
        ("name\nA\n", "list.csv", "no column 'id'"),
        (b"id,name\n1,A\n2,\xff\n", "list.csv", "line 3: not UTF-8"),
        ("id,name\n1,A\n", "list.txt", "name the file .csv"),
        ('id,name\n1,"A\n', "list.csv", "unexpected end"),
        ("[" * 100_000, "list.json", "no entry"),
        ('{"id": ' + "[" * 100_000, "list.json", "line 1: not JSON: too deep"),
    ],
)
def test_what_is_no_list_is_refused_in_words(read, content, name, why):
    assert any(why in fault for fault in faults(read, content, name))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadList, match="cannot be read: No such file"):
        sanctions_file.read(tmp_path / "none.csv")


def test_only_the_first_faults_are_shown(read):
    with pytest.raises(BadList, match="and 5 more"):
        read("id,name\n" + ",x\n" * 25)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300), st.sampled_from(["x.csv", "x.json"]))
def test_any_text_is_a_list_or_told(read, content, name):
    with contextlib.suppress(BadList):
        assert read(content.encode("utf-8", "replace"), name)
