"""The page that a problem's type names: there for every code, in words, and nothing runs on it."""

from __future__ import annotations

import re
from urllib.parse import urldefrag, urljoin

import pytest

from core.errors import leaves
from gateway import problems

CODES = [*(error.code for error in leaves()), *(each.code for each in problems.OF_HTTP)]


@pytest.fixture
def page(house):
    return house.client.get("/problems")


@pytest.fixture
def said(page):
    return page.get_data(as_text=True)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_its_place(house, code):
    address, place = urldefrag(problems.type_of(code))
    answer = house.client.get(address)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert answer.get_data(as_text=True).count(f'<section id="{place}">') == 1


def test_what_a_refusal_names_is_there(house):
    refused = house.client.get("/api/v1/me")
    address = urljoin("http://localhost/api/v1/me", refused.json["type"])
    assert address == "http://localhost/problems#not-known"
    page = house.client.get(urldefrag(address).url)
    assert refused.json["title"] in page.get_data(as_text=True)


def test_it_says_what_it_means_what_it_tells_and_what_a_phone_says(said):
    [told] = re.findall(r'<section id="insufficient-funds">(.+?)</section>', said, re.DOTALL)
    for words in (
        "409 Conflict",
        "The account does not hold enough money.",
        "<code>available</code>, <code>requested</code>",
        '<dd lang="en">',
        '<dd lang="sw">',
        "{available}",
    ):
        assert words in told


def test_a_language_without_words_for_it_is_not_shown_as_english(said):
    [told] = re.findall(r'<section id="account-closed">(.+?)</section>', said, re.DOTALL)
    assert re.findall(r'<dd lang="(\w+)">', told) == ["en", "sw"]


def test_nothing_is_there_twice_or_besides(said):
    assert sorted(re.findall(r'<section id="([a-z0-9-]+)">', said)) == sorted(CODES)


def test_nothing_runs_there_and_nobody_frames_it(page, said):
    assert "<script" not in said
    assert not re.search(r'(src|href)="(?!#)', said)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
