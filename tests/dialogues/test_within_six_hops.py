"""Every money action is done within six answers after the dial, however it is reached."""

from __future__ import annotations

import pytest
from currencies import give, tell_rates

from core import merchants, subscribers
from core.audit import Actor
from core.holdings import LISTED
from core.money import Currency, Money

ANSWERS_MAX = 6
FLOWS = {
    "send": (("1", "0733000002", "10", "4071"), "Sent KES 10.00 to Otieno."),
    "send to one known": (("1", "1", "1", "10", "4071"), "Sent KES 10.00 to Otieno."),
    "pay a till": (("5", "1", "{till}", "10", "4071"), "Paid KES 10.00 to Otieno."),
    "pay a favourite": (("5", "1", "1", "10", "4071"), "Paid KES 10.00 to Otieno."),
    "exchange": (("5", "3", "1", "1", "100", "4071"), "Exchanged KES 100.00 for USD"),
    "deposit": (("5", "5", "1", "10", "1"), "Enter your M-Pesa PIN on the next prompt"),
    "withdraw": (("5", "5", "2", "10", "4071"), "KES 10.00 is on its way to your M-Pesa."),
    "pay from M-Pesa": (("5", "5", "3", "{till}", "10", "1"), "Enter your M-Pesa PIN on the next"),
    "ask back": (("2", "1", "1", "1", "4071"), "You asked for KES 10.00 back"),
    "ask back in words": (("2", "1", "1", "4", "A thief", "4071"), "You asked for KES 10.00 back"),
}


@pytest.fixture
def till(house, wanjiru, otieno):
    """She holds two currencies, has sent him money, and has paid at his till."""
    with house.databases["worker"].begin() as session:
        shop = subscribers.recipient(session, msisdn=otieno.phone.msisdn)
        clerk = Actor("staff:jane", "desk", "r1")
        till = merchants.open_till(session, subscriber=shop.id, actor=clerk, now=house.clock())
    give(house, wanjiru, Money(5_00, Currency.USD))
    wanjiru.phone.dial().types("1", "0733000002", "10", "4071")
    wanjiru.phone.dial().types("5", "1", till, "10", "4071")
    tell_rates(house, USDKES=("130", "130"))
    return till


@pytest.mark.parametrize("flow", FLOWS)
def test_done_within_six_answers(wanjiru, till, flow):
    answers, outcome = FLOWS[flow]
    wanjiru.phone.dial().types(*(answer.format(till=till) for answer in answers))
    assert wanjiru.phone.screen.startswith(outcome)
    assert not wanjiru.phone.on_the_line
    assert len(wanjiru.phone.text.split("*")) == len(answers) <= ANSWERS_MAX


RATES = {"EURUSD": "1.08", "GBPUSD": "1.3", "USDTUSD": "1", "BTCUSD": "90000", "USDNGN": "1500"}


@pytest.fixture
def everything(house, wanjiru):
    """She holds some of every currency, and all have a rate."""
    for currency in LISTED[1:]:
        give(house, wanjiru, Money.parse("100", currency))
    tell_rates(house, USDKES=("130", "130"), **{pair: (at, at) for pair, at in RATES.items()})
    return wanjiru


@pytest.mark.parametrize("got", LISTED)
@pytest.mark.parametrize("given", LISTED)
def test_any_currency_for_any_other_by_what_is_shown(everything, given, got):
    """Whoever reads the first page alone finds it there, by its number or to be typed."""
    if given is got:
        return
    phone = everything.phone.dial().types("5", "3")
    phone.types(shown(phone.screen, given)).types(shown(phone.screen, got))
    assert phone.screen.splitlines()[1].startswith(f"Amount in {given} ")
    phone.types("100" if given is not Currency.BTC else "0.01", "4071")
    assert phone.screen.startswith(f"Exchanged {given} ")
    assert f" for {got} " in phone.screen
    assert len(phone.text.split("*")) == ANSWERS_MAX


def shown(screen: str, currency: Currency) -> str:
    """What is answered for a currency, by a screen that shows it."""
    for line in screen.splitlines():
        number, _, label = line.partition(". ")
        if number.isdigit() and label.split()[0] == currency:
            return number
    assert f"type {currency}" in screen or "Or type its code, as NGN" in screen
    return currency.lower()


AMOUNTS = {
    "send": ("1", "0733000002"),
    "pay a till": ("5", "1", "{till}"),
    "exchange": ("5", "3", "1", "1"),
    "deposit": ("5", "5", "1"),
    "withdraw": ("5", "5", "2"),
    "pay from M-Pesa": ("5", "5", "3", "{till}"),
}


@pytest.mark.parametrize("flow", AMOUNTS)
def test_nought_is_the_way_back_and_never_an_amount(wanjiru, till, flow):
    answers = [answer.format(till=till) for answer in AMOUNTS[flow]]
    wanjiru.phone.dial().types(*answers)
    asked = wanjiru.phone.screen
    assert "\n0. Back" in asked
    wanjiru.phone.types("0.00")
    assert wanjiru.phone.screen == f"That is not an amount.\n{asked}"
    wanjiru.phone.types("0")
    assert "Amount in" not in wanjiru.phone.screen
    assert wanjiru.phone.on_the_line
