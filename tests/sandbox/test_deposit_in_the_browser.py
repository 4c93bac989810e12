"""
A deposit as a person makes it: clicked in a browser, through the whole house and Safaricom's.

The session ends first; the prompt pops up on the same phone, is paid with M-Pesa's PIN, and the
receipt comes by SMS.
"""

from __future__ import annotations

import re

import requests
from playwright.sync_api import Page, expect

LINE = "#line-1"
AMOUNT = "431.00"  # nothing else costs as much
MPESA_PIN = "1234"
HEARS_MS = 20_000


def press(page: Page, keys: str) -> None:
    for key in keys:
        page.locator(f'{LINE} .keypad button[data-key="{key}"]').click()


def says(page: Page, keys: str, words: str) -> None:
    """Click the keys, then the green one, and read the screen."""
    press(page, keys)
    with page.expect_response("**/africastalking/ussd"):
        page.locator(f"{LINE} .call").click()
    expect(page.locator(f"{LINE} .words")).to_contain_text(words)


def balance(page: Page) -> float:
    shown = page.locator(f"{LINE} .words").inner_text()
    return float(re.findall(r"Balance KES ([0-9,.]+)", shown)[0].replace(",", ""))


def test_a_deposit_is_prompted_for_paid_and_receipted(open_page, stack):
    page = open_page(stack)
    says(page, "", "Kabambe. Balance")
    before = balance(page)
    says(page, "5", "5. M-Pesa")
    says(page, "5", "1. Deposit from M-Pesa")
    says(page, "1", "Amount in KES")
    says(page, "431", f"Deposit KES {AMOUNT} from M-Pesa")
    says(page, "1", "Enter your M-Pesa PIN on the next prompt")

    words = page.locator(f"{LINE} .words")
    expect(words).to_contain_text("Do you want to pay Ksh.431.00", timeout=HEARS_MS)
    expect(page.locator(f"{LINE} .typed")).to_have_attribute("aria-label", "M-PESA PIN")
    press(page, MPESA_PIN)
    page.locator(f"{LINE} .call").click()
    expect(words).to_contain_text("Sent. M-PESA will confirm it by SMS.")

    receipt = page.locator(f"{LINE} .messages li", has_text=f"KES {AMOUNT} from M-Pesa").first
    expect(receipt).to_be_visible(timeout=HEARS_MS)
    book = requests.get(f"{stack}/daraja/control/transactions", timeout=5).json()
    expect(receipt).to_contain_text(f"{book[-1]['receipt']} Confirmed.")
    says(page, "", f"Deposit of KES {AMOUNT}: confirmed.")
    assert balance(page) == before + 431
    page.locator(f"{LINE} .end").click()
