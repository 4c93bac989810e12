"""
The suspicious activity report: a case as a file for the authority, for programs and for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import cases, kyc, watch
from core.audit import Actor
from core.cases import Case, CaseFact, FactKind
from core.decisions import words
from core.money import Currency, Money, kes
from core.subscribers import Subscriber

_NAIROBI: Final = timezone(timedelta(hours=3))
_FORM: Final = "kabambe-sar/1"
_LATELY: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Report:
    """A report, as data. It names the subject in full: it is for the authority alone."""

    data: Mapping[str, Any]

    @property
    def reference(self) -> str:
        """What it is called, and its files are named after."""
        return str(self.data["report"])

    def as_json(self) -> str:
        """For programs."""
        return json.dumps(self.data, indent=2, ensure_ascii=False) + "\n"

    def as_text(self) -> str:
        """For people."""
        return "\n".join(_lines(self.data)) + "\n"


def export(session: Session, *, case: int, actor: Actor, reason: str, now: datetime) -> Report:
    """
    Make the report of a case, and keep who had it made and why.

    Args:
        session: The caller's transaction, a worker's.
        case: The case's id; it may be open or closed.
        actor: Who has it made.
        reason: Why this is reported, in words: the end of the narrative.
        now: When.

    Raises:
        UnknownCase: There is no such case.
        NoReason: There is no reason, or it is too long.
    """
    said = words(reason)
    found = cases.get(session, case=case)
    facts = cases.facts(session, case=case)
    number = sum(fact.kind == FactKind.REPORT for fact in facts) + 1
    reference = f"SAR-{case}-{number}"
    moved = _moved(session, found, facts, now=now)
    people = _people(session, moved)
    instants = [datetime.fromisoformat(told["at"]) for told in moved]
    instants += [fact.at for fact in _of(facts, FactKind.HIT)]
    data = {
        "form": _FORM,
        "report": reference,
        "exported_at": _said(now),
        "exported_by": actor.name,
        "case": {
            "number": found.id,
            "kind": found.kind,
            "state": found.state,
            "opened_at": _said(found.opened_at),
            "closed_at": None if found.closed_at is None else _said(found.closed_at),
        },
        "subject": _subject(session, found.subscriber_id),
        "period": {"from": _said(min(instants)), "to": _said(max(instants))},
        "rules": [_rule(fact) for fact in _of(facts, FactKind.RULE)],
        "list_entries": [fact.evidence for fact in _of(facts, FactKind.HIT)],
        "movements": [_movement(told, people) for told in moved],
        "totals": _totals(moved),
        "narrative": _narrative(found, facts, actor, said, now),
    }
    cases.reported(session, case=case, actor=actor, reason=said, report=reference, now=now)
    return Report(data)


def _of(facts: Sequence[CaseFact], kind: FactKind) -> list[CaseFact]:
    return [fact for fact in facts if fact.kind == kind]


def _moved(
    session: Session, case: Case, facts: Sequence[CaseFact], *, now: datetime
) -> list[Mapping[str, Any]]:
    """The movements a case rests on; where it rests on none, what the subject moved lately."""
    evidence: list[Mapping[str, Any]] = [fact.evidence for fact in _of(facts, FactKind.MOVEMENT)]
    since = now - _LATELY
    return evidence or [
        watch.told(each)
        for each in watch.recent(session, subscriber=case.subscriber_id, since=since)
    ]


def _people(
    session: Session, moved: Sequence[Mapping[str, Any]]
) -> Mapping[int, Mapping[str, str]]:
    """Name and number of everybody that movements mention."""
    ids = {other for told in moved for other in told["others"]}
    rows = session.execute(
        select(Subscriber.id, Subscriber.name, Subscriber.msisdn).where(Subscriber.id.in_(ids))
    )
    return {row.id: {"name": row.name, "number": row.msisdn} for row in rows}


def _subject(session: Session, subscriber: int) -> dict[str, Any]:
    person = session.get_one(Subscriber, subscriber, populate_existing=True)
    papers = kyc.papers_of(session, subscriber=subscriber)
    same = kyc.sharing(session, subscriber=subscriber)
    others = session.scalars(select(Subscriber.msisdn).where(Subscriber.id.in_(same))).all()
    return {
        "name": person.name,
        "number": person.msisdn,
        "account_number": person.wallet_number,
        "holder": person.kind,
        "tier": person.tier,
        "screening": person.screening,
        "registered_at": _said(person.registered_at),
        "papers": None
        if papers is None
        else {
            "name": papers.name,
            "document": papers.document_kind,
            "number_ends_in": papers.document_end,
            "born_on": papers.born_on.isoformat(),
        },
        "others_with_the_same_document": sorted(others),
    }


def _movement(told: Mapping[str, Any], people: Mapping[int, Mapping[str, str]]) -> dict[str, Any]:
    amount = Money(told["amount"], Currency[told["currency"]])
    return {
        "reference": told["reference"],
        "at": _said(datetime.fromisoformat(told["at"])),
        "direction": told["direction"],
        "amount": _plain(amount),
        "currency": told["currency"],
        "equivalent_kes": _plain(kes(told["cents_kes"])),
        "with": [people[other] for other in told["others"]],
    }


def _rule(fact: CaseFact) -> dict[str, Any]:
    told = dict(fact.evidence)
    return told | {"amount": _plain(kes(told["amount"])), "currency": "KES"}


def _totals(moved: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What went in and out, in shillings or their equivalent."""
    came = [told["cents_kes"] for told in moved if told["direction"] == "in"]
    went = [told["cents_kes"] for told in moved if told["direction"] == "out"]
    return {
        "count": len(moved),
        "in_kes": _plain(kes(sum(came))),
        "out_kes": _plain(kes(sum(went))),
    }


def _narrative(
    case: Case, facts: Sequence[CaseFact], actor: Actor, reason: str, now: datetime
) -> list[dict[str, str]]:
    """What staff said of it, in order."""
    said = [
        {"at": _said(fact.at), "by": fact.actor, "words": fact.evidence["note"]}
        for fact in _of(facts, FactKind.NOTE)
    ]
    if case.closed_at is not None:
        said.append(
            {"at": _said(case.closed_at), "by": str(case.closed_by), "words": str(case.note)}
        )
    return [*said, {"at": _said(now), "by": actor.name, "words": reason}]


def _plain(money: Money) -> str:
    """An amount as programs read it: `1250.00`."""
    return f"{Decimal(money.minor).scaleb(-money.currency.exponent):f}"


def _said(at: datetime) -> str:
    """An instant as a Kenyan authority reads it: their own clock, with its offset."""
    return at.astimezone(_NAIROBI).isoformat(timespec="seconds")


def _lines(data: Mapping[str, Any]) -> list[str]:
    subject, case = data["subject"], data["case"]
    lines = [
        f"SUSPICIOUS ACTIVITY REPORT {data['report']}",
        "Confidential: nobody named in it may be told of it.",
        "",
        f"Exported {data['exported_at']} by {data['exported_by']}",
        f"Case {case['number']}, {case['kind']}, {case['state']}; opened {case['opened_at']}",
        f"Period {data['period']['from']} to {data['period']['to']}",
        "",
        "SUBJECT",
        f"  {subject['name']}, {subject['number']}, account {subject['account_number']}",
        f"  {subject['holder']}, {subject['tier']}; registered {subject['registered_at']}",
    ]
    if (papers := subject["papers"]) is None:
        lines.append("  No papers.")
    else:
        lines.append(
            f"  {papers['name']}, born {papers['born_on']},"
            f" {papers['document']} ending in {papers['number_ends_in']}"
        )
    lines += [f"  Same document: {number}" for number in subject["others_with_the_same_document"]]
    lines += ["", "WHY", *(f"  {line}" for line in _reasons(data)), "", "MOVEMENTS"]
    for each in data["movements"]:
        others = ", ".join(f"{other['name']} {other['number']}" for other in each["with"])
        lines.append(
            f"  {each['at']}  {each['reference']}  {each['direction']:3}"
            f"  {each['currency']} {each['amount']:>14}  {others}".rstrip()
        )
    totals = data["totals"]
    lines += [
        f"  {totals['count']} movements, in KES {totals['in_kes']}, out KES {totals['out_kes']}",
        "",
        "NARRATIVE",
        *(f"  {each['at']}  {each['by']}: {each['words']}" for each in data["narrative"]),
    ]
    return lines


def _reasons(data: Mapping[str, Any]) -> list[str]:
    reasons = [
        f"Rule {rule['rule']} ({rule['pattern']}): KES {rule['amount']},"
        f" {rule['count_min']} or more in {rule['window_seconds']} s; by {rule['source']}"
        for rule in data["rules"]
    ]
    reasons += [
        f"List {entry['source']}, entry {entry['list_id']}: {entry['entry']},"
        f" by {entry['by']}, score {entry['score']}"
        for entry in data["list_entries"]
    ]
    return reasons
