"""Exchange money: at a promised price, confirmed by PIN, in six answers at most."""

from __future__ import annotations

import pytest
from currencies import give, held, tell_rates

from core import cooling
from core.cooling import Kind
from core.money import Currency, Money, kes

USD = Currency.USD


@pytest.fixture
def market(house):
    """A dollar is 129 to 131 shillings, a bitcoin 90,000 dollars."""
    tell_rates(house, USDKES=("129", "131"), EURUSD=("1.1", "1.1"), BTCUSD=("90000", "90000"))


def test_while_the_account_cools_off_nothing_is_asked_for_in_vain(house, wanjiru, market):
    hers = house.bank.one("SELECT id FROM subscribers")
    with house.databases["web"].begin() as session:
        cooling.begin(session, subscriber=hers, kind=Kind.USUAL, now=house.clock())
    wanjiru.phone.dial().types("5", "3")
    assert wanjiru.phone.screen.startswith(
        "You can do that after 22/11 09:30, as your PIN is new.\nMore services\n1. Pay a till"
    )
    wanjiru.phone.types("4")
    assert wanjiru.phone.screen.startswith("My money.")


def test_shillings_for_dollars(house, wanjiru, market):
    wanjiru.phone.dial().types("5").sees("""
        More services
        1. Pay a till
        2. Use a voucher
        3. Exchange money
        4. My money
        5. M-Pesa
        0. Back
    """)
    wanjiru.phone.types("3").sees("""
        You have KES 1,250.00. Exchange to (or type NGN):
        1. USD
        2. EUR
        3. GBP
        4. USDT
        5. BTC
        98. More
        0. Back 00. Home
    """)
    house.clock.passes(seconds=7)
    wanjiru.phone.types("1").sees("""
        1 USD = KES 132.32, 7 s ago
        Amount in KES (you have 1,250.00):
        0. Back 00. Home
    """)
    wanjiru.phone.types("1000").sees("""
        Give KES 1,000.00, get USD 7.55
        1 USD = KES 132.32, incl. fee USD 0.14
        60 s left. Enter PIN:
        0. Back 00. Home
    """)
    wanjiru.phone.types("4071").ends_with("""
        Exchanged KES 1,000.00 for USD 7.55.
        Balances KES 250.00, USD 7.55.
        Ref REF
    """)
    assert wanjiru.balance == kes(250_00)
    assert held(house, wanjiru, USD) == Money(7_55, USD)
    wanjiru.phone.received(
        "REF Got USD 7.55 for KES 1,000.00, fee USD 0.14, 21/11/26 09:30. Balances KES 250.00,"
        " USD 7.55. Seal SEAL"
    )


def test_who_holds_several_currencies_says_which_to_give(house, wanjiru, market):
    give(house, wanjiru, Money(20_00, USD))
    wanjiru.phone.dial().types("5", "3").sees("""
        Exchange which money?
        1. KES 1,250.00
        2. USD 20.00
        0. Back 00. Home
    """)
    wanjiru.phone.types("2").sees("""
        You have USD 20.00. Exchange to (or type NGN):
        1. KES
        2. EUR
        3. GBP
        4. USDT
        5. BTC
        98. More
        0. Back 00. Home
    """)
    wanjiru.phone.types("1", "USD 10", "4071").ends_with("""
        Exchanged USD 10.00 for KES 1,277.10.
        Balances USD 10.00, KES 2,527.10.
        Ref REF
    """)
    assert len(wanjiru.phone.text.split("*")) == 6


def test_the_home_screens_balance_stays_that_of_shillings(house, wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "1", "1000", "4071")
    wanjiru.phone.dial()
    assert wanjiru.phone.screen.startswith("Kabambe. Balance KES 250.00\n")


def test_more_currencies_than_five_are_on_a_second_page_and_keep_their_numbers(wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "98").sees("""
        You have KES 1,250.00. Exchange to (or type NGN):
        6. NGN
        0. Back 00. Home
    """)


def test_who_holds_many_chooses_among_five_a_page(house, wanjiru, market):
    for minor, currency in ((1, "USD"), (2, "EUR"), (3, "GBP"), (4, "BTC"), (5, "NGN")):
        give(house, wanjiru, Money(minor, Currency[currency]))
    wanjiru.phone.dial().types("5", "3").sees("""
        Exchange which money? Or type its code, as NGN:
        1. KES 1,250.00
        2. USD 0.01
        3. EUR 0.02
        4. GBP 0.03
        5. BTC 0.00000004
        98. More
        0. Back 00. Home
    """)
    wanjiru.phone.types("98", "6", "3")
    assert wanjiru.phone.screen.startswith("We have no fresh rate.")


def test_small_money_is_told_and_given_in_all_its_decimals(house, wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "5")
    assert wanjiru.phone.screen.startswith("1 BTC = KES 11,970,000, 0 s ago\n")
    wanjiru.phone.types("1000")
    assert wanjiru.phone.screen.startswith("Give KES 1,000.00, get BTC 0.00008354\n")


def test_who_has_nothing_is_told_so(otieno, market):
    otieno.phone.dial().types("5", "3").sees("""
        You have no money to exchange.
        0. Back 00. Home
    """)


def test_without_a_fresh_rate_nothing_is_asked(house, wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "6")
    assert wanjiru.phone.screen.startswith(
        "We have no fresh rate. Please try again shortly.\n"
        "You have KES 1,250.00. Exchange to (or type NGN):\n"
    )
    house.clock.passes(seconds=90)
    wanjiru.phone.types("1")
    assert wanjiru.phone.screen.startswith("We have no fresh rate.")


def test_a_rate_that_grew_stale_while_the_amount_was_typed_is_refused(house, wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "1")
    house.clock.passes(seconds=90)
    wanjiru.phone.types("1000")
    assert wanjiru.phone.screen.startswith(
        "We have no fresh rate. Please try again shortly.\n1 USD"
    )
    tell_rates(house, USDKES=("129", "131"))
    wanjiru.phone.types("1000", "4071")
    assert wanjiru.balance == kes(250_00)


def test_a_promise_is_kept_while_the_market_moves(house, wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "1", "1000")
    house.clock.passes(seconds=59)
    tell_rates(house, USDKES=("200", "201"))
    wanjiru.phone.types("4071")
    assert wanjiru.phone.screen.startswith("Exchanged KES 1,000.00 for USD 7.55.")


def test_a_promise_that_is_over_moves_nothing_and_another_is_had(house, wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "1", "1000")
    house.clock.passes(seconds=60)
    tell_rates(house, USDKES=("199", "201"))
    wanjiru.phone.types("4071").sees("""
        That price is over.
        Amount in KES (you have 1,250.00):
        0. Back 00. Home
    """)
    assert wanjiru.balance == kes(1250_00)
    wanjiru.phone.types("1000").sees("""
        Give KES 1,000.00, get USD 4.92
        1 USD = KES 203.03, incl. fee USD 0.08
        60 s left. Enter PIN:
        0. Back 00. Home
    """)
    wanjiru.phone.types("4071")
    assert wanjiru.balance == kes(250_00)


def test_the_seconds_that_are_left_are_counted(house, wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "1", "1000")
    house.clock.passes(seconds=20)
    wanjiru.phone.types("1111").sees("""
        Wrong PIN. Tries left: 2
        Give KES 1,000.00, get USD 7.55
        1 USD = KES 132.32, incl. fee USD 0.14
        40 s left. Enter PIN:
        0. Back 00. Home
    """)
    wanjiru.phone.types("4071")
    assert wanjiru.balance == kes(250_00)


@pytest.mark.parametrize("typed", ["0.00", "0.0", "abc", "-5", "USD 5", "0.001", ""])
def test_what_is_no_amount_is_asked_again(wanjiru, market, typed):
    wanjiru.phone.dial().types("5", "3", "1", typed)
    assert wanjiru.phone.screen.startswith("That is not an amount.\n1 USD = KES 132.32")


def test_nought_leads_back(wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "1", "0")
    assert wanjiru.phone.screen.startswith("You have KES 1,250.00. Exchange to (or type NGN):\n")


def test_shillings_are_not_dollars(house, wanjiru, market):
    give(house, wanjiru, Money(20_00, USD))
    wanjiru.phone.dial().types("5", "3", "2", "1", "ksh 10")
    assert wanjiru.phone.screen.startswith("That is not an amount.\n")


def test_more_than_there_is_and_next_to_nothing(wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "1", "1251")
    assert wanjiru.phone.screen.startswith("You have KES 1,250.00. You need KES 1,251.00")
    wanjiru.phone.types("0.5")
    assert wanjiru.phone.screen.startswith("That is too little to exchange.\n1 USD")


def test_money_that_went_meanwhile_is_refused_by_the_ledger(wanjiru, otieno, market):
    wanjiru.phone.dial().types("5", "3", "1", "1000")
    wanjiru.phone.house.phone(wanjiru.phone.msisdn).dial().types("1", "0733000002", "500", "4071")
    wanjiru.phone.types("4071").ends_with("You have KES 745.00. You need KES 1,000.00 in all.")
    assert wanjiru.balance == kes(745_00)


def test_an_account_that_may_not_move_money_is_told_at_once(house, wanjiru, otieno, market):
    house.bank.run("UPDATE subscribers SET tier = 'suspended' WHERE name = 'Wanjiru'")
    wanjiru.phone.dial().types("5", "3")
    assert wanjiru.phone.screen.startswith("Your account cannot move money now.")
    house.bank.run("UPDATE subscribers SET screening = 'new' WHERE name = 'Otieno'")
    otieno.phone.dial().types("5", "3")
    assert otieno.phone.screen.startswith("We are still checking your account.")


def test_dialled_ahead_it_stops_at_the_pin(wanjiru, market):
    wanjiru.phone.dial("*384*5*3*1*1000*4071#")
    assert wanjiru.phone.screen.startswith("Give KES 1,000.00, get USD 7.55\n")
    assert wanjiru.balance == kes(1250_00)


def test_repeated_by_the_network_it_is_one_exchange(wanjiru, market):
    wanjiru.phone.dial().types("5", "3", "1", "100", "4071").again().again()
    assert wanjiru.balance == kes(1150_00)


def test_without_a_worker_an_sms_is_promised_and_comes(house, wanjiru, market):
    house.workers_are_there = False
    wanjiru.phone.dial().types("5", "3", "1", "1000", "4071").ends_with("""
        Your request to exchange KES 1,000.00 for USD 7.55 is received. You will get an SMS.
        Ref REF
    """)
    house.clock.passes(minutes=5)  # a promise that was taken up in time is kept, however late
    house.workers_are_there = True
    house.send_messages()
    house.clock.passes(seconds=2)
    [message] = house.messages(wanjiru.phone.msisdn)
    assert "Got USD 7.55 for KES 1,000.00, fee USD 0.14" in message["message"]


def test_kwa_kiswahili(amina, market):
    amina.phone.dial().types("5").sees("""
        Huduma zaidi
        1. Lipa kwa till
        2. Tumia vocha
        3. Badilisha pesa
        4. Pesa zangu
        5. M-Pesa
        0. Rudi
    """)
    amina.phone.types("3")
    assert amina.phone.screen.startswith(
        "Una KES 1,250.00. Badilisha kuwa (au andika NGN):\n1. USD\n"
    )
    amina.phone.types("1").sees("""
        1 USD = KES 132.32, sek 0 zilizopita
        Kiasi kwa KES (una 1,250.00):
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types("1000").sees("""
        Toa KES 1,000.00, pata USD 7.55
        1 USD = KES 132.32, ada USD 0.14 imo
        Sekunde 60. Weka PIN:
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types("4071").ends_with("""
        Umebadilisha KES 1,000.00 kupata USD 7.55.
        Salio KES 250.00, USD 7.55.
        Kumb REF
    """)
