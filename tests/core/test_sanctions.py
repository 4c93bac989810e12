"""Sanctions: lists loaded as a whole, people held against them, and hits that two people clear."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from compliance import JANE, JOHN, Office, entry
from sqlalchemy.exc import DBAPIError

from core import cases, holds, sanctions, screening
from core.decisions import AlreadyDecided, NoReason, OwnRequest
from core.limits import AccountSuspended, NotScreened, RecipientSuspended
from core.money import kes
from core.sanctions import UnknownHit

HIS = "+254712000001"
OTHERS = "+254733000002"
KONY = entry("1", "Joseph Kony", aliases=("Josef Koni",), born=("1961",))


@pytest.fixture
def office(house):
    return Office(house)


def hits(office):
    return [
        tuple(row)
        for row in office.house.bank.rows(
            "SELECT subscriber_id, source, list_id, state FROM hits ORDER BY id"
        )
    ]


class TestLoading:
    def test_a_list_is_replaced_as_a_whole_and_others_are_not(self, office):
        office.load(entry("1", "Aaa Bbb"), entry("2", "Ccc Ddd"), entry("3", "Eee Fff"))
        office.load(entry("1", "Other Lists"), source="ofac")
        done = office.load(
            entry("2", "Ccc Ddd", born=("1970",)), entry("3", "Eee Fff"), entry("4", "G H")
        )
        assert (done.entries, done.added, done.changed, done.removed) == (3, 1, 1, 1)
        rows = office.house.bank.rows("SELECT source, list_id, born FROM sanctions ORDER BY 1, 2")
        assert [tuple(row) for row in rows] == [
            ("ofac", "1", []),
            ("un", "2", ["1970"]),
            ("un", "3", []),
            ("un", "4", []),
        ]

    def test_the_same_list_again_changes_nothing(self, office):
        office.load(KONY)
        done = office.load(KONY)
        assert not done.is_news
        assert office.house.bank.one("SELECT count(*) FROM sanction_loads") == 1

    def test_a_load_that_fails_leaves_what_was(self, office):
        office.load(KONY)
        with pytest.raises(DBAPIError):
            office.load(entry("2", "Fine"), entry("3", None))
        [(list_id,)] = office.house.bank.rows("SELECT list_id FROM sanctions")
        assert list_id == "1"

    def test_it_is_in_the_audit_log(self, office):
        office.load(KONY, by=JOHN)
        [line] = office.house.bank.rows("SELECT * FROM audit_log WHERE action = 'list-loaded'")
        assert (line.actor, line.subject, line.detail["added"]) == ("staff:john", "list:un", 1)

    def test_fifty_thousand_are_loaded_and_screened_by_in_time(self, office):
        """Loading is one statement in ten thousands; a person takes milliseconds."""
        people = [
            office.register(f"+2547120{n:05}", name=f"Somebody {chr(65 + n)}x") for n in range(20)
        ]
        words = [
            f"{a}{b}{c}"
            for a in "bdfgklmnprst"
            for b in ("ara", "ewi", "oko", "unda")
            for c in (
                "ba",
                "chi",
                "do",
                "fe",
                "gu",
                "ka",
                "li",
                "mo",
                "ne",
                "pu",
                "ra",
                "shi",
                "to",
            )
        ]
        many = [
            entry(str(n), f"{words[n % 624].title()} {words[n * 7 % 623].title()} {n % 81}")
            for n in range(50_000)
        ]
        started = time.perf_counter()
        office.load(*many)
        assert time.perf_counter() - started < 30
        office.do(screening.rescreen, people_max=1)  # reads the lists into memory
        started = time.perf_counter()
        office.screen()
        assert (time.perf_counter() - started) / len(people) < 0.1


class TestRegistration:
    def test_without_a_list_everybody_is_clear_at_once(self, office):
        assert office.standing(office.register(HIS, name="Joseph Kony")) == "clear"

    def test_a_number_on_a_list_is_a_hit_from_the_first_moment(self, office):
        office.load(entry("1", "Someone Else", numbers=(HIS,)))
        he = office.register(HIS, name="Peter Otieno")
        assert office.standing(he) == "hit"
        office.fund(he, kes(1000_00))
        other = office.register(OTHERS)
        office.screen()
        assert office.send(he, other, kes(100_00)) == AccountSuspended.code
        assert office.raised() == [("sanctions", he, "open")]
        assert hits(office) == [(he, "un", "1", "open")]

    def test_a_new_name_waits_for_the_job_and_can_receive_meanwhile(self, office):
        office.load(KONY)
        she, he = office.register(OTHERS, name="Wanjiru"), office.register(HIS, name="Josef Kony")
        office.fund(she, kes(1000_00))
        office.fund(he, kes(1000_00))
        assert (office.standing(she), office.standing(he)) == ("new", "new")
        assert office.send(he, she, kes(100_00)) == NotScreened.code
        office.screen()
        assert (office.standing(she), office.standing(he)) == ("clear", "hit")
        assert office.send(she, he, kes(100_00)) == RecipientSuspended.code
        assert office.send(he, she, kes(100_00)) == AccountSuspended.code

    def test_the_job_is_rung_for_by_itself(self, office):
        office.load(KONY)
        he = office.register(HIS, name="Joseph Kony")
        office.house.relay._swept_at = 0.0
        office.house.send_messages()
        assert office.standing(he) == "hit"

    def test_a_hit_can_set_nothing_aside(self, office):
        office.load(KONY)
        he = office.register(HIS, name="Joseph Kony")
        office.fund(he, kes(1000_00))
        office.screen()
        with pytest.raises(AccountSuspended):
            office.do(
                holds.place,
                owner=he,
                amount=kes(100_00),
                key="h",
                expires_at=office.house.clock().replace(year=2027),
            )


class TestScreening:
    def test_the_case_says_which_entry_by_what_and_how_sure(self, office):
        office.load(KONY)
        he = office.register(HIS, name="Koni Joseph")
        office.screen()
        with office.house.databases["worker"]() as session:
            [fact] = cases.facts(session, case=1)
        told = fact.evidence
        assert (told["source"], told["list_id"], told["entry"]) == ("un", "1", "Joseph Kony")
        assert told["by"] == "name"
        assert told["threshold"] <= told["score"] <= 1
        assert sorted(map(tuple, told["words"])) == [("joseph", "joseph"), ("koni", "kony")]
        assert hits(office) == [(he, "un", "1", "open")]

    def test_a_load_screens_everybody_anew(self, office):
        people = [office.register(f"+2547120000{n:02}", name="Joseph Kony") for n in range(7)]
        office.screen()
        assert {office.standing(each) for each in people} == {"clear"}
        office.load(KONY)
        done = [office.do(screening.rescreen, people_max=3) for _ in range(4)]
        assert done == [3, 3, 1, 0]
        assert {office.standing(each) for each in people} == {"hit"}

    def test_the_name_on_the_papers_counts_too(self, office):
        office.load(KONY)
        he = office.register(HIS, name="Joe")
        office.screen()
        assert office.standing(he) == "clear"
        office.show_papers(he, name="Joseph Kony", born="1961-07-24")
        office.screen()
        assert office.standing(he) == "hit"

    def test_a_date_of_birth_tells_namesakes_apart(self, office):
        office.load(KONY)
        he = office.register(HIS, name="Joe")
        office.show_papers(he, name="Joseph Kony", born="1990-01-31")
        office.screen()
        assert office.standing(he) == "clear"

    def test_ordinary_people_are_left_in_peace(self, office):
        """Negative control."""
        office.load(
            KONY,
            entry("2", "Mohamed Abdi Warsame"),
            entry("3", "Osama bin Laden", numbers=("+93700000001",)),
        )
        names = ["Wanjiru", "Otieno Odhiambo", "Amina Hassan", "Mohamed Ali", "Joseph Otieno"]
        for number, name in enumerate(names):
            office.register(f"+25471200000{number}", name=name)
        office.screen()
        assert office.raised() == []
        assert office.house.bank.rows("SELECT 1 FROM subscribers WHERE screening <> 'clear'") == []

    def test_nobody_is_told(self, office):
        office.load(KONY)
        office.register(HIS, name="Joseph Kony")
        office.screen()
        assert office.house.messages(HIS) == []
        assert office.house.bank.one("SELECT count(*) FROM outbox") == 0

    def test_who_registers_while_a_list_is_loaded_is_not_missed(self, office):
        """Half of them before its commit, half after; nobody is screened by no list."""
        barrier = threading.Barrier(9)

        def register(number):
            barrier.wait()
            return office.register(f"+25471200000{number}", name="Joseph Kony")

        def load(_):
            barrier.wait()
            office.load(KONY)

        with ThreadPoolExecutor(9) as hands:
            loading = hands.submit(load, None)
            people = list(hands.map(register, range(8)))
            loading.result()
        office.screen()
        assert {office.standing(each) for each in people} == {"hit"}

    def test_between_two_lists_is_nobody(self, office):
        """Whoever registers while a list is about to commit waits for it, and knows it then."""
        loading = office.house.databases["worker"]()
        sanctions.load(loading, source="un", entries=[KONY], actor=JANE, now=office.house.clock())
        with ThreadPoolExecutor(1) as hands:
            registering = hands.submit(office.register, HIS, name="Joseph Kony")
            with pytest.raises(TimeoutError):
                registering.result(timeout=0.5)
            loading.commit()
            loading.close()
            he = registering.result()
        assert office.standing(he) == "new"

    def test_many_workers_at_once_find_each_once(self, office):
        office.load(KONY)
        people = [office.register(f"+2547120000{n:02}", name="Joseph Kony") for n in range(20)]

        def work(_):
            while office.do(screening.screen_new, people_max=3):
                pass

        with ThreadPoolExecutor(6) as hands:
            list(hands.map(work, range(6)))
        office.screen()
        assert [hit[0] for hit in sorted(hits(office))] == sorted(people)
        assert len(office.raised()) == len(people)

    def test_one_case_holds_all_of_a_persons_hits(self, office):
        office.load(KONY)
        he = office.register(HIS, name="Joseph Kony")
        office.screen()
        office.load(entry("X9", "Kony, Joseph"), source="ofac")
        office.screen()
        assert office.raised() == [("sanctions", he, "open")]
        assert [hit[1:3] for hit in hits(office)] == [("un", "1"), ("ofac", "X9")]


class TestClearing:
    @pytest.fixture
    def he(self, office):
        office.load(KONY)
        he = office.register(HIS, name="Joseph Kony")
        office.fund(he, kes(1000_00))
        office.register(OTHERS, name="Wanjiru")
        office.screen()
        return he

    def propose(self, office, *, by=JANE, hit=1, reason="Born in 1990, says his ID"):
        office.do(sanctions.propose_clearing, hit=hit, actor=by, reason=reason)

    def clear(self, office, *, by=JOHN, hit=1, note="So it is"):
        office.do(sanctions.clear, hit=hit, actor=by, note=note)

    def test_two_people_clear_and_the_pair_hits_no_more(self, office, he):
        with pytest.raises(AlreadyDecided):
            self.clear(office)
        self.propose(office)
        with pytest.raises(OwnRequest):
            self.clear(office, by=JANE)
        assert office.standing(he) == "hit"
        self.clear(office)
        assert office.standing(he) == "clear"
        assert office.send(he, he + 1, kes(100_00)) == "done"
        office.load(KONY, entry("2", "Somebody New"))
        office.screen()
        assert office.standing(he) == "clear"
        assert hits(office) == [(he, "un", "1", "cleared")]
        office.load(KONY, entry("2", "Somebody New"), entry("3", "Joseph Kony"))
        office.screen()
        assert office.standing(he) == "hit"  # another entry is another pair

    def test_cleared_it_hits_anew_where_the_list_says_more(self, office, he):
        self.propose(office)
        self.clear(office)
        office.load(KONY, entry("2", "Somebody New"))
        office.screen()
        assert office.standing(he) == "clear"
        office.load(replace(KONY, numbers=(HIS,)))
        office.screen()
        assert office.standing(he) == "hit"
        assert hits(office) == [(he, "un", "1", "cleared"), (he, "un", "1", "open")]
        self.propose(office, hit=2)
        self.clear(office, hit=2)
        assert office.standing(he) == "clear"

    def test_in_another_order_a_list_says_the_same(self):
        one, other = (replace(KONY, aliases=each) for each in (("A", "B"), ("B", "A")))
        assert one.digest == other.digest != KONY.digest

    def test_every_hit_must_be_cleared(self, office, he):
        office.load(entry("9", "Joseph Kony"), source="ofac")
        office.screen()
        self.propose(office)
        self.clear(office)
        assert office.standing(he) == "hit"
        self.propose(office, hit=2)
        self.clear(office, hit=2)
        assert office.standing(he) == "clear"

    def test_declined_it_stands(self, office, he):
        self.propose(office)
        with pytest.raises(OwnRequest):
            office.do(sanctions.decline_clearing, hit=1, actor=JANE, note="No")
        office.do(sanctions.decline_clearing, hit=1, actor=JOHN, note="It is him")
        assert (office.standing(he), hits(office)[0][3]) == ("hit", "open")
        with pytest.raises(AlreadyDecided):
            self.clear(office)

    def test_off_the_list_is_not_cleared(self, office, he):
        """Whoever was found stays found until staff have looked."""
        office.load(entry("7", "Somebody New"))
        office.screen()
        assert office.standing(he) == "hit"

    def test_nobody_lifts_a_hit_but_by_clearing(self, office, he):
        with pytest.raises(DBAPIError, match="two people"):
            office.house.bank.run("UPDATE subscribers SET screening = 'clear'")
        with pytest.raises(DBAPIError, match="four_eyes"):
            office.house.bank.run(
                "UPDATE hits SET state = 'cleared', proposed_by = 'x', decided_by = 'x', note = 'x'"
            )
        self.propose(office)
        self.clear(office)
        with pytest.raises(DBAPIError, match="that is final"):
            office.house.bank.run("UPDATE hits SET state = 'open', proposed_by = NULL")

    def test_words_and_hits_are_needed(self, office, he):
        with pytest.raises(NoReason):
            self.propose(office, reason=" ")
        self.propose(office)
        with pytest.raises(NoReason):
            self.clear(office, note="")
        with pytest.raises(UnknownHit):
            self.clear(office, hit=2)

    def test_it_is_kept_who_did(self, office, he):
        self.propose(office)
        self.clear(office)
        lines = office.house.bank.rows(
            "SELECT action, actor, detail FROM audit_log WHERE subject = :s ORDER BY id",
            s=f"subscriber:{he}",
        )
        assert [(line.action, line.actor) for line in lines][-2:] == [
            ("clearing-proposed", "staff:jane"),
            ("hit-cleared", "staff:john"),
        ]
        assert lines[-1].detail["note"] == "So it is"
