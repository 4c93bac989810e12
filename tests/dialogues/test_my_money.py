"""My money: every currency the caller holds, each with its statement."""

from __future__ import annotations

from currencies import give, tell_rates

from core.money import Currency, Money


def test_each_currency_has_its_statement(house, wanjiru):
    tell_rates(house, USDKES=("129", "131"))
    wanjiru.phone.dial().types("5", "3", "1", "1000", "4071")
    wanjiru.phone.dial().types("5", "4").sees("""
        My money. Pick one for its statement:
        1. KES 250.00
        2. USD 7.55
        0. Back 00. Home
    """)
    wanjiru.phone.types("2").sees("""
        Statement, USD. Pick one for details:
        1. 21/11 Exchanged +7.55
        0. Back 00. Home
    """)
    wanjiru.phone.types("1")
    assert wanjiru.phone.screen.split("\n")[:3] == [
        "Exchanged: USD 7.55",
        "21/11/26 09:30",
        "Balance USD 7.55",
    ]
    wanjiru.phone.types("0", "0", "1").sees("""
        Statement, KES. Pick one for details:
        1. 21/11 Exchanged -1,000.00
        2. 21/11 Opening gift +1,250.00
        0. Back 00. Home
    """)


def test_five_are_on_a_page(house, wanjiru):
    for currency in ("USD", "EUR", "GBP", "USDT", "BTC", "NGN"):
        give(house, wanjiru, Money(7, Currency[currency]))
    wanjiru.phone.dial().types("5", "4").sees("""
        My money. Pick one for its statement:
        1. KES 1,250.00
        2. USD 0.07
        3. EUR 0.07
        4. GBP 0.07
        5. USDT 0.000007
        98. More
        0. Back 00. Home
    """)
    wanjiru.phone.types("98", "7")
    assert wanjiru.phone.screen.startswith("Statement, NGN.")


def test_who_has_nothing_is_told_so(otieno):
    otieno.phone.dial().types("5", "4").sees("""
        You have no money here yet.
        1. KES 0.00
        0. Back 00. Home
    """)
    otieno.phone.types("1")
    assert otieno.phone.screen.startswith("Nothing here yet.")


def test_what_is_not_on_the_menu(otieno):
    otieno.phone.dial().types("5", "4", "2")
    assert otieno.phone.screen.startswith("That is not on the menu.\nYou have no money")


def test_pesa_zangu(house, amina):
    give(house, amina, Money(5_00, Currency.EUR))
    amina.phone.dial().types("5", "4").sees("""
        Pesa zangu. Chagua moja uone taarifa:
        1. KES 1,250.00
        2. EUR 5.00
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types("2").sees("""
        Taarifa, EUR. Chagua moja kwa maelezo:
        1. 21/11 Zawadi ya kuanzia +5.00
        0. Rudi 00. Mwanzo
    """)
