"""Papers and tiers: what is kept, who decides, and who is told."""

from __future__ import annotations

from datetime import date

import pytest
from compliance import JANE, JOHN, Office
from sqlalchemy.exc import DBAPIError

from core import cases, kyc
from core.cases import Evidence, FactKind, Kind, UnknownCase
from core.decisions import AlreadyDecided, AlreadyRequested, NoReason, OwnRequest
from core.kyc import InvalidPapers, NoPapers, Papers, SuspensionStands, UnknownLift
from core.subscribers import Tier, UnknownRecipient

HERS = "+254712000001"


@pytest.fixture
def office(house):
    return Office(house)


@pytest.fixture
def she(office):
    return office.register(HERS, name="Wanjiru", tier="pending")


def set_tier(office, subscriber, tier, *, by=JANE, note="Seen", **also):
    office.do(kyc.set_tier, subscriber=subscriber, tier=tier, actor=by, note=note, **also)


def tier_of(office, subscriber):
    return office.house.bank.one("SELECT tier FROM subscribers WHERE id = :i", i=subscriber)


def told(office):
    return [each["message"] for each in office.house.messages(HERS)]


class TestPapers:
    def test_only_what_is_needed_is_kept(self, office, she):
        office.show_papers(she, number="12 345 678")
        [row] = office.house.bank.rows("SELECT * FROM identities")
        kept = {name: value for name, value in row._mapping.items() if name != "document_digest"}
        assert kept["document_end"] == "678"
        assert "12345678" not in str(kept)
        assert "12345678" not in str(office.house.bank.rows("SELECT * FROM audit_log"))

    def test_a_digest_is_of_the_pepper_and_the_kind_of_document(self):
        def digest(document, pepper):
            papers = Papers.read(
                name="A B",
                document=document,
                number="1234567",
                born_on="1990-01-31",
                today=date(2026, 1, 1),
            )
            return papers.digest(pepper)

        digests = {
            digest(*each) for each in [("passport", "a"), ("passport", "b"), ("alien-id", "a")]
        }
        assert len(digests) == 3

    def test_the_same_document_is_found_again(self, office, she):
        other = office.register("+254733000002")
        third = office.register("+254733000003")
        office.show_papers(she, number="12345678")
        office.show_papers(other, number="1234 5678")
        office.show_papers(third, number="12345679")
        with office.house.databases["worker"]() as session:
            assert kyc.sharing(session, subscriber=she) == [other]
            assert kyc.sharing(session, subscriber=third) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": ""},
            {"name": "  "},
            {"name": "4071"},
            {"name": "x" * 101},
            {"document": "library-card"},
            {"number": "12"},
            {"number": "ABCDEFGH"},
            {"number": "1234567890"},
            {"born_on": "31.1.1990"},
            {"born_on": "2026-11-22"},
            {"born_on": "1899-12-31"},
            {"born_on": "1990-02-30"},
        ],
    )
    def test_what_cannot_be_is_refused(self, wrong):
        right = {
            "name": "Jane Wanjiru",
            "document": "national-id",
            "number": "12345678",
            "born_on": "1990-01-31",
            "today": date(2026, 11, 21),
        }
        assert Papers.read(**right).number == "12345678"
        with pytest.raises(InvalidPapers):
            Papers.read(**right | wrong)

    def test_papers_show_themselves_nowhere(self):
        papers = Papers("Jane", kyc.Document.NATIONAL_ID, "12345678", date(1990, 1, 31))
        assert "12345678" not in repr(papers)

    def test_they_are_never_changed(self, office, she):
        office.show_papers(she)
        for change in ("UPDATE identities SET name = 'x'", "DELETE FROM identities"):
            with (
                pytest.raises(DBAPIError, match="permission denied"),
                office.house.databases["worker"].begin() as session,
            ):
                session.connection().exec_driver_sql(change)


class TestTiers:
    def test_verified_they_are_told_and_may_move_more(self, office, she):
        office.show_papers(she)
        set_tier(office, she, Tier.VERIFIED)
        assert tier_of(office, she) == "verified"
        assert any("We have seen your ID." in each for each in told(office))
        [line] = office.house.bank.rows("SELECT * FROM audit_log WHERE action = 'tier-set'")
        assert (line.actor, line.detail["tier"], line.detail["note"]) == (
            "staff:jane",
            "verified",
            "Seen",
        )

    def test_each_tier_is_told_in_ones_own_language(self, office, she):
        office.house.bank.run("UPDATE subscribers SET language = 'sw'")
        set_tier(office, she, Tier.REJECTED)
        assert any("Hatukuweza kukubali kitambulisho" in each for each in told(office))

    def test_nobody_is_verified_without_papers(self, office, she):
        with pytest.raises(NoPapers):
            set_tier(office, she, Tier.VERIFIED)
        assert tier_of(office, she) == "pending"

    def test_a_note_is_needed(self, office, she):
        for note in ("", "  ", "x" * 501):
            with pytest.raises(NoReason):
                set_tier(office, she, Tier.REJECTED, note=note)

    def test_of_nobody_there_is_none(self, office, she):
        with pytest.raises(UnknownRecipient):
            set_tier(office, she + 1, Tier.REJECTED)

    @pytest.mark.parametrize("tier", list(Tier))
    def test_the_web_sets_none(self, office, she, tier):
        office.show_papers(she)
        with pytest.raises(DBAPIError, match="permission denied"):
            office.do(kyc.set_tier, role="web", subscriber=she, tier=tier, actor=JANE, note="Mine")
        assert tier_of(office, she) == "pending"

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE subscribers SET tier = 'verified'",
            "UPDATE subscribers SET screening = 'clear'",
            "UPDATE subscribers SET kind = 'merchant'",
            "SELECT * FROM identities",
            "SELECT * FROM lifts",
            "SELECT * FROM cases",
            "SELECT * FROM case_facts",
            "SELECT * FROM sanctions",
            "SELECT * FROM hits",
            "SELECT * FROM watch_rules",
            "INSERT INTO lifts (subscriber_id, tier) VALUES (1, 'verified')",
        ],
    )
    def test_the_web_knows_nothing_of_it(self, office, she, statement):
        with (
            pytest.raises(DBAPIError, match="permission denied"),
            office.house.databases["web"].begin() as session,
        ):
            session.connection().exec_driver_sql(statement)


class TestSuspensions:
    def test_one_person_suspends_and_two_lift(self, office, she):
        set_tier(office, she, Tier.SUSPENDED)
        for tier in (Tier.PENDING, Tier.REJECTED):
            with pytest.raises(SuspensionStands):
                set_tier(office, she, tier)
        lift = self.propose(office, she)
        with pytest.raises(OwnRequest):
            self.approve(office, lift, by=JANE)
        assert tier_of(office, she) == "suspended"
        self.approve(office, lift, by=JOHN)
        assert tier_of(office, she) == "pending"
        with pytest.raises(AlreadyDecided):
            self.approve(office, lift, by=JOHN)

    def test_an_approval_lifts_once(self, office, she):
        set_tier(office, she, Tier.SUSPENDED)
        self.approve(office, self.propose(office, she), by=JOHN)
        set_tier(office, she, Tier.SUSPENDED)
        with pytest.raises(DBAPIError, match="two people"):
            office.house.bank.run("UPDATE subscribers SET tier = 'pending'")

    def test_not_even_the_owner_of_the_tables_lifts_alone(self, office, she):
        set_tier(office, she, Tier.SUSPENDED)
        with pytest.raises(DBAPIError, match="two people"):
            office.house.bank.run("UPDATE subscribers SET tier = 'verified'")
        lift = self.propose(office, she)
        with pytest.raises(DBAPIError, match="four_eyes"):
            office.house.bank.run(
                "UPDATE lifts SET state = 'approved', decided_by = 'staff:jane' WHERE id = :l",
                l=lift,
            )

    def test_declined_they_stay_suspended_and_it_may_be_proposed_again(self, office, she):
        set_tier(office, she, Tier.SUSPENDED)
        lift = self.propose(office, she)
        with pytest.raises(AlreadyRequested):
            self.propose(office, she)
        office.do(kyc.decline_lift, lift=lift, actor=JOHN, note="Not yet")
        assert tier_of(office, she) == "suspended"
        assert self.propose(office, she) != lift

    def test_to_verified_takes_papers_too(self, office, she):
        set_tier(office, she, Tier.SUSPENDED)
        lift = self.propose(office, she, tier=Tier.VERIFIED)
        with pytest.raises(NoPapers):
            self.approve(office, lift, by=JOHN)
        office.show_papers(she)
        self.approve(office, lift, by=JOHN)
        assert tier_of(office, she) == "verified"

    def test_who_is_not_suspended_is_not_lifted(self, office, she):
        with pytest.raises(AlreadyDecided):
            self.propose(office, she)
        with pytest.raises(UnknownLift):
            self.approve(office, 7, by=JOHN)

    def test_in_the_course_of_a_case_nobody_is_told(self, office, she):
        now = office.house.clock()
        case = office.do(
            cases.suspect,
            kind=Kind.VELOCITY,
            subscriber=she,
            evidence=[Evidence(FactKind.MOVEMENT, "journal:1", now, {})],
            within=None,
            actor=JANE,
        )
        set_tier(office, she, Tier.SUSPENDED, case=case, note="Until we know")
        assert tier_of(office, she) == "suspended"
        assert told(office) == []
        with office.house.databases["worker"]() as session:
            assert cases.facts(session, case=case)[-1].evidence == {
                "note": "suspended: Until we know"
            }
        with pytest.raises(UnknownCase):
            set_tier(office, she, Tier.SUSPENDED, case=case + 1)

    def propose(self, office, subscriber, *, tier=Tier.PENDING):
        return office.do(
            kyc.propose_lift, subscriber=subscriber, tier=tier, actor=JANE, reason="It was me"
        )

    def approve(self, office, lift, *, by):
        office.do(kyc.approve_lift, lift=lift, actor=by, note="Agreed")
