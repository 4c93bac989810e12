"""
The prompt of M-PESA on the phones of the page: in a real browser, paid, cancelled and ignored.
"""

from __future__ import annotations

import pytest
from merchant import MSISDN
from playwright.sync_api import Page, expect


@pytest.fixture
def page(open_page, merchant) -> Page:
    page = open_page(merchant.url)
    page.locator("#line-1 .person").select_option("")
    page.locator("#line-1 .other").fill(f"+{MSISDN}")
    return page


def press(page: Page, keys: str) -> None:
    for key in keys:
        page.locator(f'#line-1 .keypad button[data-key="{key}"]').click()


def shows(page: Page, words: str, line: str = "#line-1") -> None:
    expect(page.locator(f"{line} .words")).to_contain_text(words)


def test_a_prompt_pops_up_and_is_paid_with_the_pin(page, merchant):
    merchant.pushed(amount=1500, AccountReference="DQ7X2M4K")

    shows(page, "Do you want to pay Ksh.1,500.00 to KABAMBE Account no. DQ7X2M4K?")
    expect(page.locator("#line-1 .typed")).to_have_attribute("aria-label", "M-PESA PIN")
    assert "Do you want" not in page.locator("#line-2 .words").inner_text()
    press(page, "1234")
    page.locator("#line-1 .call").click()

    shows(page, "Sent. M-PESA will confirm it by SMS.")
    expect(page.locator("#line-1 .typed")).to_have_value("*384#")
    assert merchant.ears.one("stk").stk["ResultCode"] == 0


@pytest.mark.parametrize(("key", "code"), [(".end", 1032), (".ignore", 1037)])
def test_a_prompt_is_cancelled_or_ignored(page, merchant, key, code):
    merchant.pushed()
    shows(page, "Do you want to pay")

    page.locator(f"#line-1 {key}").click()

    assert merchant.ears.one("stk").stk["ResultCode"] == code
    expect(page.locator("#line-1 .ignore")).to_be_hidden()
    expect(page.locator("#line-1 .call")).to_have_attribute("aria-label", "Dial")


def test_a_prompt_that_ends_elsewhere_goes_away(page, merchant):
    checkout = merchant.pushed()
    shows(page, "Do you want to pay")

    merchant.answer(checkout, cancel=True)

    shows(page, "The request has ended.")


def test_a_prompt_is_there_for_who_opens_the_page_later(page, merchant):
    merchant.pushed(msisdn="254712000001")
    page.locator("#line-1 .person").select_option("0712000001")
    shows(page, "Do you want to pay")
    page.locator("#line-1 .typed").fill("0000")
    page.keyboard.press("Enter")
    shows(page, "Wrong PIN. Nothing was paid.")
