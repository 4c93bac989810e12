"""
The book as simply as it can be said: what `post` must do, in plain Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Account:
    """An account and its entries."""

    currency: str
    minimum: int | None
    maximum: int | None
    is_record: bool
    entries: list[int] = field(default_factory=list)

    @property
    def balance(self) -> int:
        return sum(self.entries)


@dataclass
class Book:
    """Accounts by id, and the keys that were written: their legs and the balances they left."""

    accounts: dict[int, Account] = field(default_factory=dict)
    written: dict[str, tuple[Mapping[int, int], dict[str, int]]] = field(default_factory=dict)

    def post(self, drafts: Sequence[tuple[str, Mapping[int, int]]]) -> list[tuple[str, dict]]:
        """Post drafts in their order; the outcome of each with what it tells."""
        return [self._post(key, legs) for key, legs in drafts]

    def _post(self, key: str, legs: Mapping[int, int]) -> tuple[str, dict]:
        if key in self.written:
            first, balances = self.written[key]
            return ("exists", balances) if first == legs else ("key-reused", {})
        for id_, amount in legs.items():
            account = self.accounts[id_]
            if account.is_record:
                continue
            after = account.balance + amount
            if account.minimum is not None and after < account.minimum:
                return "insufficient-funds", {"available": account.balance - account.minimum}
            if account.maximum is not None and after > account.maximum:
                return "insufficient-funds", {"available": account.maximum - account.balance}
        for id_, amount in legs.items():
            self.accounts[id_].entries.append(amount)
        balances = {
            str(id_): self.accounts[id_].balance for id_ in legs if not self.accounts[id_].is_record
        }
        self.written[key] = legs, balances
        return "posted", balances
