"""A language is a file: what it says of itself, what it lacks, and what is said in its place."""

from __future__ import annotations

import shutil

import pytest
from catalogues import NEVER_LEFT_OUT, amiss

from core.subscribers import Language
from menus import languages
from menus.languages import catalogue, endonym, spoken
from menus.text import _

KIKUYU = Language("ki")
HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
SAID = 'msgid "Send money"\nmsgstr "Tuma mbeca"\n'
NEEDED = "\n".join(
    f'msgid "{message}"\nmsgstr "Tukwaria Gikuyu"\n' for message in sorted(NEVER_LEFT_OUT)
)


@pytest.fixture
def locale(tmp_path, monkeypatch):
    """A place of our own with the languages that there are."""
    place = tmp_path / "locale"
    shutil.copytree(languages.LOCALE, place)
    monkeypatch.setattr(languages, "LOCALE", place)
    return place


def add(locale, *headers, messages=SAID, code="ki"):
    path = locale / code / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    said = "".join(f'"{header}\\n"\n' for header in headers)
    path.write_text(f"{HEADER}{said}\n{messages}", encoding="utf-8")


def test_a_file_is_all_that_a_language_costs(locale, house, wanjiru):
    add(locale, "X-Endonym: Gikuyu", "X-Number: 4", "X-Status: incomplete")

    wanjiru.phone.dial().types("3", "2").sees("""
        Choose a language:
        1. English
        2. Kiswahili
        3. Naija
        4. Gikuyu
        0. Back 00. Home
    """)
    wanjiru.phone.types("4")
    wanjiru.phone.dial().sees("""
        Kabambe. Balance KES 1,250.00
        1. Tuma mbeca
        2. Statement
        3. My account
        4. Help
        5. More services
    """)


def test_a_number_is_kept_whoever_comes_later(locale):
    before = spoken()
    add(locale, "X-Endonym: Aaa", code="aa")  # says no number
    assert before == ("en", "sw", "pcm")
    languages._catalogues.cache_clear()
    assert spoken() == (*before, "aa")


def test_the_door_offers_a_language_once_it_is_complete(locale, house):
    house.phone("+254720000009").dial().sees("""
        Welcome to Kabambe. Karibu Kabambe.
        Language / Lugha:
        1. English
        2. Kiswahili
    """)
    path = locale / "pcm" / "LC_MESSAGES" / "messages.po"
    path.write_text(path.read_text().replace("X-Status: incomplete", "X-Status: complete"))
    languages._catalogues.cache_clear()
    assert house.phone("+254720000009").dial().screen.endswith("3. Naija")


def test_whose_words_are_taken_away_is_spoken_to_in_english(locale, house, wanjiru):
    wanjiru.phone.dial().types("3", "2", "3")
    shutil.rmtree(locale / "pcm")
    languages._catalogues.cache_clear()
    assert wanjiru.phone.dial().screen.startswith("Kabambe. Balance KES 1,250.00\n1. Send money")


def test_an_incomplete_language_may_lack_nearly_everything(locale):
    add(locale, "X-Status: incomplete", messages=SAID + NEEDED)
    assert not amiss(catalogue(KIKUYU))


def test_it_may_not_lack_what_would_be_a_lie_in_english(locale):
    add(locale, "X-Status: incomplete")
    assert amiss(catalogue(KIKUYU)) == NEVER_LEFT_OUT


@pytest.mark.parametrize("headers", [(), ("X-Status: complete",), ("X-Status: nearly",)])
def test_an_unmarked_language_may_lack_nothing(locale, headers):
    add(locale, *headers, messages=SAID + NEEDED)
    assert {"Back", "Home", "That is not an amount."} <= amiss(catalogue(KIKUYU))


def test_nothing_is_translated_that_nobody_says(locale):
    add(locale, "X-Status: incomplete", messages=NEEDED + 'msgid "Hullo"\nmsgstr "Wimwega"\n')
    assert amiss(catalogue(KIKUYU)) == {"Hullo"}


def test_what_is_not_translated_is_said_in_english():
    naija = Language("pcm")
    assert endonym(naija) == "Naija"
    assert _("That is not an amount.").render(naija) == "Dat one no be money."
    assert _("Enter the PIN again:").render(naija) == "Enter the PIN again:"


class TestACode:
    def test_is_one_member_wherever_it_is_met(self):
        assert Language("ki") is KIKUYU
        assert KIKUYU.value == "ki"
        assert Language("sw") is Language.KISWAHILI

    @pytest.mark.parametrize("code", ["", "e", "engl", "EN", "e1", "../", "en\n", None, 7])
    def test_is_two_or_three_letters(self, code):
        with pytest.raises(ValueError, match="is not a valid Language"):
            Language(code)
