"""
The phone page in a real browser: keys, screens, messages, the wire, and a small screen.
"""

from __future__ import annotations

import pytest
import requests
from playwright.sync_api import Page, expect


@pytest.fixture
def page(open_page, country) -> Page:
    return open_page(country.url)


def press(page: Page, keys: str, line: str = "#line-1") -> None:
    """Click keys of the keypad, one after the other."""
    for key in keys:
        page.locator(f'{line} .keypad button[data-key="{key}"]').click()


def answer(page: Page, keys: str, line: str = "#line-1") -> None:
    """Click an answer and the green key."""
    press(page, keys, line)
    page.locator(f"{line} .call").click()


def shows(page: Page, words: str, line: str = "#line-1") -> None:
    expect(page.locator(f"{line} .words")).to_contain_text(words)


class TestConversation:
    def test_by_clicking(self, page, country):
        answer(page, "")
        shows(page, "1. Send money")
        answer(page, "1")
        shows(page, "Send money to")
        answer(page, "0733000002")
        shows(page, "Amount for 0733000002")
        answer(page, "500")
        shows(page, "Sent KES 500 to 0733000002.")

        assert [each["text"] for each in country.web.hops] == [
            "",
            "1",
            "1*0733000002",
            "1*0733000002*500",
        ]
        expect(page.locator("#line-1 .typed")).to_have_value("*384#")

    def test_by_typing_each_answer_is_sent_once(self, page, country):
        typed = page.locator("#line-1 .typed")
        expect(typed).to_be_focused()
        for said, words in [("", "Send money"), ("1", "Send money to"), ("0733000002", "Amount")]:
            page.keyboard.type(said)
            page.keyboard.press("Enter")
            shows(page, words)
            expect(typed).to_be_focused()
        page.keyboard.press("Escape")

        expect(page.locator("#line-1 .words")).to_have_class("words idle")
        assert len(country.web.hops) == 3

    def test_a_key_works_from_the_keyboard_too(self, page, country):
        answer(page, "")
        shows(page, "1. Send money")
        page.locator('#line-1 .keypad button[data-key="2"]').press("Enter")
        assert len(country.web.hops) == 1
        page.locator("#line-1 .call").press("Enter")
        shows(page, "Help: call 100.")
        assert [each["text"] for each in country.web.hops] == ["", "2"]

    def test_letters_come_by_pressing_a_key_again(self, page, country):
        answer(page, "1*0#")  # before a session, every key is itself
        assert country.web.hops == []
        shows(page, "Connection problem")
        answer(page, "")
        shows(page, "1. Send money")
        press(page, "#588620")  # 8 twice is u

        expect(page.locator("#line-1 .typed")).to_have_value("Juma ")
        press(page, "#1*")
        expect(page.locator("#line-1 .typed")).to_have_value("Juma 1*")
        page.locator("#line-1 .clear").click()
        expect(page.locator("#line-1 .typed")).to_have_value("Juma 1")

    def test_the_red_key_hangs_up(self, page, country):
        answer(page, "")
        shows(page, "1. Send money")
        with page.expect_response("**/africastalking/ussd"):
            page.locator("#line-1 .end").click()

        expect(page.locator("#line-1 .words")).to_have_class("words idle")
        session = country.web.hops[0]["sessionId"]
        assert country.ussd(session=session, answer="1").json()["ended"]

    def test_two_phones_talk_at_once(self, page, country):
        answer(page, "")
        answer(page, "", "#line-2")
        shows(page, "1. Send money")
        shows(page, "1. Send money", "#line-2")

        assert {each["phoneNumber"] for each in country.web.hops} == {
            "+254712000001",
            "+254733000002",
        }

    def test_any_other_number(self, page, country):
        page.locator("#line-1 .person").select_option("")
        page.locator("#line-1 .other").fill("0799 123 456")
        answer(page, "")
        shows(page, "1. Send money")

        assert country.web.hops[0]["phoneNumber"] == "+254799123456"

    def test_nothing_in_a_screen_becomes_markup(self, page, country):
        country.web.answer = lambda _: "END <img src=x> & <b>bold</b>"
        answer(page, "")
        shows(page, "<img src=x> & <b>bold</b>")


class TestMessages:
    def test_arrive_by_themselves_on_their_own_phone(self, page, country):
        empty = page.locator(".line .inbox .empty")
        expect(empty.nth(0)).to_be_visible()
        country.send(to="+254733000002", message="For <b>two</b>", **{"from": "KABAMBE"})

        expect(page.locator("#line-2 .messages li")).to_have_count(1)
        expect(page.locator("#line-2 .messages li")).to_contain_text("For <b>two</b>")
        expect(page.locator("#line-2 .messages li")).to_contain_text("KABAMBE")
        expect(page.locator("#line-2 .unread")).to_have_text("1")
        expect(empty.nth(0)).to_be_visible()
        expect(empty.nth(1)).to_be_hidden()

        page.locator("#line-1 .person").select_option("0733000002")
        expect(page.locator("#line-1 .messages li")).to_have_count(1)

    def test_are_there_after_a_reload_and_gone_when_emptied(self, page, country):
        country.send(to="+254712000001", message="one")
        page.reload()
        expect(page.locator("#line-1 .messages li")).to_have_count(1)
        requests.delete(f"{country.url}/africastalking/messages", timeout=5)
        expect(page.locator("#line-1 .messages li")).to_have_count(0)

    def test_are_asked_for_where_there_is_no_stream(self, open_page, country):
        page = open_page(country.url, without="**/messages/stream")
        country.send(to="+254712000001", message="one")

        expect(page.locator("#line-1 .messages li")).to_have_count(1)


class TestWire:
    def test_shows_the_form_the_answer_and_the_room_left(self, page, country):
        answer(page, "")
        shows(page, "1. Send money")
        answer(page, "1")
        shows(page, "Send money to")

        hop = page.locator("#hops li").first
        expect(hop.locator("dt")).to_have_text(
            ["phoneNumber", "serviceCode", "text", "sessionId", "networkCode"]
        )
        expect(hop.locator("dd").nth(2)).to_have_text("1")
        expect(hop.locator("pre")).to_have_text("CON Send money to:\n0. Back")
        expect(hop.locator(".room")).to_contain_text("22 of 160 septets")
        expect(page.locator("#hops li")).to_have_count(2)
        expect(page.locator("#hops details[open]")).to_have_count(1)

    def test_can_send_every_hop_twice(self, page, country):
        page.locator("#twice").check()
        answer(page, "")
        shows(page, "1. Send money")

        expect(page.locator("#hops")).to_contain_text("the same, byte for byte")
        assert len(country.web.hops) == 2

    def test_says_what_broke(self, page, country):
        country.web.answer = lambda _: "Oops"
        answer(page, "")
        shows(page, "Connection problem")

        expect(page.locator("#hops .problem")).to_contain_text("start with a CON or an END")


class TestSmallScreen:
    @pytest.fixture
    def page(self, open_page, country) -> Page:
        return open_page(country.url, width=360, height=740)

    def test_shows_one_thing_at_a_time_and_fits(self, page, country):
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        expect(page.locator("#line-1 .handset")).to_be_in_viewport(ratio=1)
        for hidden in ("#line-2", "#wire"):
            expect(page.locator(hidden)).to_be_hidden()

        country.send(to="+254733000002", message="one")
        expect(page.locator("#tab-2")).to_have_class("news")
        page.get_by_role("tab", name="Phone 2").click()
        expect(page.locator("#line-2 .messages li")).to_be_visible()
        expect(page.locator("#line-1")).to_be_hidden()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#wire")).to_be_visible()


def test_every_control_has_a_name(page):
    names = page.eval_on_selector_all(
        "button, input, select",
        "all => all.map(e => e.ariaLabel || e.innerText || (e.labels[0] || {}).innerText || '')",
    )
    assert len(names) > 30
    assert all(name.strip() for name in names)
