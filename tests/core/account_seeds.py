"""What somebody may do to accounts past every guard, and every break that must be found then."""

from __future__ import annotations

ACCOUNT_SEEDS = {
    "a balance is changed": (
        ["UPDATE accounts SET balance = balance + 5 WHERE id = {quiet}"],
        ["balance account:{quiet}", "currency-unbalanced currency:KES"],
    ),
    "money is moved between two balances": (
        [
            "UPDATE accounts SET balance = balance + 5 WHERE id = {quiet}",
            "UPDATE accounts SET balance = balance - 5 WHERE id = {record}",
        ],
        ["balance account:{quiet}", "balance account:{record}"],
    ),
    "a balance may fall below zero": (
        ["UPDATE accounts SET balance_min = -100000 WHERE id = {quiet}"],
        ["account-differs account:{quiet}"],
    ),
    "a balance has no bound any more": (
        ["UPDATE accounts SET balance_min = NULL WHERE id = {quiet}"],
        ["account-differs account:{quiet}"],
    ),
    "an account that is locked becomes one that is not": (
        ["UPDATE accounts SET balance_min = NULL, mode = 'record' WHERE id = {quiet}"],
        ["account-differs account:{quiet}"],
    ),
    "an account is said to be somebody else's": (
        ["UPDATE accounts SET holder_id = NULL WHERE id = {quiet}"],
        ["account-differs account:{quiet}"],
    ),
    "an account is opened by hand": (
        [
            (
                "INSERT INTO accounts (id, path, currency) OVERRIDING SYSTEM VALUE"
                " VALUES ({accounts} + 1, 'back:door:kes', 'KES')"
            )
        ],
        ["account-differs account:{accounts_next}"],
    ),
    "a version is changed": (
        ["UPDATE accounts SET version = version + 1 WHERE id = {quiet}"],
        ["numbering account:{quiet}"],
    ),
}
