from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from menus.gsm7 import BASIC, EXTENDED, SCREEN_SEPTETS_MAX, septets
from menus.pages import paginate

MORE, BACK = "98. More", "0. Back"
words = st.text(alphabet=sorted((BASIC | EXTENDED) - set("\r\n\f")), min_size=1, max_size=50)


@given(head=words, lines=st.lists(words, max_size=40))
def test_every_page_fits_and_every_line_is_on_exactly_one_page(head, lines):
    pages = paginate(head, lines, more=MORE, backs=[f"{BACK} 00. Home", BACK])

    assert all(septets(page) <= SCREEN_SEPTETS_MAX for page in pages)
    feet = {MORE, BACK, f"{BACK} 00. Home"}
    shown = [line for page in pages for line in page.split("\n")[1:] if line not in feet]
    assert shown == [line for line in lines if line not in feet]
    assert all(page.split("\n")[-2] == MORE for page in pages[:-1])


def test_the_shorter_way_back_serves_where_there_is_no_room():
    head = "x" * (SCREEN_SEPTETS_MAX - len("\n0. Back"))
    assert paginate(head, (), more=MORE, backs=["0. Back 00. Home", BACK]) == [f"{head}\n0. Back"]


def test_extended_characters_count_twice():
    assert septets("{€}") == 6
    assert septets("@£") == 2
