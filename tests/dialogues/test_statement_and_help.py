from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from core import exchange, holds, rates
from core.money import Currency, kes
from core.rates import Rate


def test_an_empty_statement_says_so(otieno):
    otieno.phone.dial().types("2").sees("""
        Nothing here yet. What you send or receive will be listed here.
        0. Back
    """)


def test_the_statement_runs_over_pages_and_shows_each_line_in_full(house, wanjiru, otieno):
    for number in range(6):
        wanjiru.phone.dial().types("1", "0733000002", str(101 + number), "4071")
        house.clock.passes(hours=1)
    wanjiru.phone.dial().types("2").sees("""
        Statement, KES. Pick one for details:
        1. 21/11 Otieno -106.00
        2. 21/11 Otieno -105.00
        3. 21/11 Otieno -104.00
        4. 21/11 Otieno -103.00
        98. More
        0. Back
    """)
    wanjiru.phone.types("98").sees("""
        Statement, KES. Pick one for details:
        5. 21/11 Otieno -102.00
        6. 21/11 Otieno -101.00
        7. 21/11 Opening gift +1,250.00
        0. Back
    """)
    wanjiru.phone.types("2")
    lines = wanjiru.phone.screen.split("\n")
    assert lines[:4] == [
        "KES 105.00 to Otieno 0733***002",
        "Fee KES 2.10",
        "21/11/26 13:30",
        "Balance KES 724.70",
    ]
    wanjiru.phone.types("0", "7")
    assert wanjiru.phone.screen.startswith("Opening gift: KES 1,250.00\n21/11/26 09:30\n")


def test_what_nobody_sent_is_called_what_it_was(house, wanjiru):
    now = house.clock()
    with house.databases["worker"].begin() as session:
        ends = now + timedelta(hours=1)
        hold = holds.place(session, owner=1, amount=kes(200_00), key="h", expires_at=ends, now=now)
        holds.release(session, hold=hold, now=now)
        rate = Rate(Currency.USD, Currency.KES, Decimal(130), Decimal(130), "test", now)
        rates.record(session, rates=[rate], now=now)
    with house.databases["web"].begin() as session:
        quoted = exchange.quote(
            session, subscriber=1, give=kes(130_00), currency=Currency.USD, now=now
        )
        exchange.order(session, subscriber=1, quote=quoted.id, key="x", now=now)
    house.ring()
    wanjiru.phone.dial().types("2").sees("""
        Statement, KES. Pick one for details:
        1. 21/11 Exchanged -130.00
        2. 21/11 Set aside, given back +200.00
        3. 21/11 Set aside -200.00
        98. More
        0. Back
    """)


def test_a_mistake_on_a_page_hides_no_line_and_the_way_back_leads_to_the_page(
    house, wanjiru, otieno
):
    for number in range(6):
        wanjiru.phone.dial().types("1", "0733000002", str(101 + number), "4071")
    wanjiru.phone.dial().types("2", "77").sees("""
        That is not on the menu.
        Statement, KES. Pick one for details:
        1. 21/11 Otieno -106.00
        2. 21/11 Otieno -105.00
        3. 21/11 Otieno -104.00
        98. More
        0. Back
    """)
    wanjiru.phone.types("98").sees("""
        Statement, KES. Pick one for details:
        4. 21/11 Otieno -103.00
        5. 21/11 Otieno -102.00
        6. 21/11 Otieno -101.00
        7. 21/11 Opening gift +1,250.00
        0. Back
    """)
    page = wanjiru.phone.screen
    wanjiru.phone.types("5", "0").sees(page)
    wanjiru.phone.types("98")
    assert wanjiru.phone.screen.startswith("That is not on the menu.\n"), "there is no more"


def test_pages_can_be_dialled_ahead(wanjiru, otieno):
    for number in range(6):
        wanjiru.phone.dial().types("1", "0733000002", str(101 + number), "4071")
    turned = wanjiru.phone.dial().types("2", "98").screen
    assert wanjiru.phone.dial("*384*2*98#").screen == turned


def test_the_receiver_sees_who_sent_and_no_fee(wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
    otieno.phone.dial().types("2", "1")
    lines = otieno.phone.screen.split("\n")
    assert lines[:3] == [
        "KES 500.00 from Wanjiru 0712***001",
        "21/11/26 09:30",
        "Balance KES 500.00",
    ]


def test_taarifa(amina, otieno):
    amina.phone.dial().types("1", "0733000002", "150", "4071")
    amina.phone.dial().types("2").sees("""
        Taarifa, KES. Chagua moja kwa maelezo:
        1. 21/11 Otieno -150.00
        2. 21/11 Zawadi ya kuanzia +1,250.00
        0. Rudi
    """)
    amina.phone.types("1")
    assert amina.phone.screen.startswith("KES 150.00 kwa Otieno 0733***002\nAda KES 1.50")


def test_the_language_is_changed_for_calls_and_messages(house, wanjiru, otieno):
    wanjiru.phone.dial().types("3", "2").sees("""
        Choose a language:
        1. English
        2. Kiswahili
        3. Naija
        0. Back 00. Home
    """)
    wanjiru.phone.types("2").ends_with("Kuanzia sasa tutazungumza nawe kwa Kiswahili.")
    wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
    assert wanjiru.phone.screen.startswith("Umetuma KES 50.00 kwa Otieno.")
    assert "Umetuma KES 50.00" in house.messages(wanjiru.phone.msisdn)[0]["message"]


def test_lugha_ya_kiingereza(amina):
    amina.phone.dial().types("3", "2", "1").ends_with("From now on we speak English to you.")


def test_help_answers_on_screens_of_their_own(wanjiru):
    wanjiru.phone.dial().types("4").sees("""
        Help
        1. Sending money
        2. Your PIN
        3. Shortcuts
        4. Fees
        0. Back
    """)
    wanjiru.phone.types("2").sees("""
        Your PIN shows as you type: let nobody see. We never ask for it. 3 wrong PINs lock it 15 minutes. Forgot it? My account.
        0. Back 00. Home
    """)  # noqa: E501 - as one screen line
    wanjiru.phone.types("0", "4").sees("""
        Fees for sending, in KES:
        From 0.00: 2%
        From 130.00: 1%
        From 13,000.00: 0.75%
        From 130,000.00: 0.5%
        0. Back 00. Home
    """)


def test_msaada(amina):
    amina.phone.dial().types("4", "1").sees("""
        Chagua 1, weka nambari na kiasi. Tutaonyesha jina na ada. PIN yako hutuma pesa; nyote mtapata SMS.
        0. Rudi 00. Mwanzo
    """)  # noqa: E501 - as one screen line


def test_what_is_not_on_the_menu_is_said_and_asked_again(wanjiru):
    for typed in ("9", " ", "abc", "1.", "٣", "-1", "0001"):
        wanjiru.phone.dial().types(typed)
        assert wanjiru.phone.screen.startswith("That is not on the menu.\nKabambe."), typed
