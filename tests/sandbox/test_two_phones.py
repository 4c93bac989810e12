"""
Two phones and real money: clicked in a browser, through the whole house.
"""

from __future__ import annotations

import secrets

import requests
from playwright.sync_api import Page, expect

PIN = "4071"
AMOUNT = "537.00"  # nothing else costs as much


def press(page: Page, line: str, keys: str) -> None:
    for key in keys:
        page.locator(f'{line} .keypad button[data-key="{key}"]').click()


def says(page: Page, line: str, keys: str, words: str) -> None:
    """Click the keys, then the green one, and read the screen."""
    press(page, line, keys)
    with page.expect_response("**/africastalking/ussd"):
        page.locator(f"{line} .call").click()
    expect(page.locator(f"{line} .words")).to_contain_text(words, ignore_case=True)


def receipts(url: str, number: str) -> list[str]:
    """List the SMS about this money that a number has received."""
    answer = requests.get(f"{url}/africastalking/messages", params={"to": number}, timeout=5)
    return [each["message"] for each in answer.json() if AMOUNT in each["message"]]


def test_a_new_person_registers_and_is_sent_money(open_page, stack):
    number = f"07{secrets.randbelow(10**6) + 97 * 10**6}"
    page = open_page(stack)
    one, two = "#line-1", "#line-2"
    page.locator(f"{one} .person").select_option("")
    page.locator(f"{one} .other").fill(number)
    already = len(receipts(stack, "0733000002"))

    says(page, one, "", "English")
    says(page, one, "1", "name")
    says(page, one, "#58862", "PIN")
    says(page, one, PIN, "again")
    says(page, one, PIN, "terms")
    says(page, one, "1", "open")

    says(page, two, "", "1. Send money")
    says(page, two, "1", "number")
    says(page, two, number, "amount")
    says(page, two, "537", "Juma")
    says(page, two, PIN, AMOUNT)

    for line in (one, two):
        expect(page.locator(f"{line} .messages li", has_text=AMOUNT).first).to_be_visible()
    says(page, one, "", AMOUNT)  # it is on the account, and the home screen shows it
    page.locator(f"{one} .end").click()
    assert len(receipts(stack, number)) == 1
    assert len(receipts(stack, "0733000002")) == already + 1
