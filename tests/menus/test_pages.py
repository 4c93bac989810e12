from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from menus.gsm7 import BASIC, EXTENDED, SCREEN_SEPTETS_MAX, septets
from menus.pages import page

MORE, BACK = "98. More", "0. Back"
words = st.text(alphabet=sorted((BASIC | EXTENDED) - set("\r\n\f")), min_size=1, max_size=50)


def pages(head, lines, **feet) -> list[str]:
    """Every page, turned one after another."""
    turned, start = [], 0
    while start is not None:
        shown = page(head, lines, start=start, **feet)
        turned.append(shown.text)
        start = shown.following
    return turned


@given(head=words, lines=st.lists(words, max_size=40))
def test_every_page_fits_and_every_line_is_on_exactly_one_page(head, lines):
    turned = pages(head, lines, more=MORE, backs=[f"{BACK} 00. Home", BACK])

    assert all(septets(each) <= SCREEN_SEPTETS_MAX for each in turned)
    feet = {MORE, BACK, f"{BACK} 00. Home"}
    shown = [line for each in turned for line in each.split("\n")[1:] if line not in feet]
    assert shown == [line for line in lines if line not in feet]
    assert all(each.split("\n")[-2] == MORE for each in turned[:-1])


def test_the_shorter_way_back_serves_where_there_is_no_room():
    head = "x" * (SCREEN_SEPTETS_MAX - len("\n0. Back"))
    assert pages(head, (), more=MORE, backs=["0. Back 00. Home", BACK]) == [f"{head}\n0. Back"]


def test_extended_characters_count_twice():
    assert septets("{€}") == 6
    assert septets("@£") == 2
