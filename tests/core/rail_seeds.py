"""What is tampered with on rails, and all that a reconciliation finds of it."""

from __future__ import annotations

from core.ledger import Reason

# Of rails (`rail_causes`): what is changed, and all that is found then. Journals by their keys,
# accounts by their paths.
RAIL_SEEDS = [
    ("UPDATE deposits SET amount = 60000 WHERE state = 'settled'", ["deposit-differs deposit:1"]),
    ("UPDATE deposits SET fee = 100 WHERE state = 'settled'", ["deposit-differs deposit:1"]),
    (
        "UPDATE deposits SET state = 'failed' WHERE state = 'settled'",
        ["deposit-differs deposit:1", "journal-unexplained deposit:1:cost"],
    ),
    (
        "UPDATE deposits SET subscriber_id = 1 WHERE state = 'settled'",
        ["deposit-differs deposit:1"],
    ),
    ("UPDATE deposits SET state = 'settled' WHERE state = 'failed'", ["deposit-differs deposit:2"]),
    (
        "DELETE FROM deposits WHERE state = 'settled'",
        ["journal-unexplained deposit:1", "journal-unexplained deposit:1:cost"],
    ),
    (
        "UPDATE paybill_payments SET amount = 1 WHERE state = 'credited'",
        ["paybill-differs paybill:1"],
    ),
    (
        "UPDATE paybill_payments SET state = 'struck' WHERE receipt = 'A1'",
        ["paybill-differs paybill:1"],
    ),
    (
        "UPDATE paybill_payments SET state = 'credited' WHERE receipt = 'A2'",
        ["paybill-differs paybill:2"],
    ),
    (
        "DELETE FROM paybill_payments WHERE state = 'credited'",
        ["journal-unexplained paybill:1"],
    ),
    (
        "UPDATE suspense_cases SET amount = amount + 1",
        [
            "paybill-differs paybill:2",
            "suspense-differs suspense:1",
            "suspense-differs suspense:2",
            "suspense-differs suspense:mpesa:kes",
        ],
    ),
    (
        "DELETE FROM suspense_cases",
        [
            "journal-unexplained suspense:1",
            "journal-unexplained suspense:2",
            "journal-unexplained suspense:2:out",
            "paybill-differs paybill:2",
            "paybill-differs paybill:3",
            "suspense-differs suspense:mpesa:kes",
        ],
    ),
    (
        "UPDATE withdrawals SET amount = 40000 WHERE state = 'paid'",
        ["withdrawal-differs withdrawal:1"],
    ),
    ("UPDATE withdrawals SET tariff = 0 WHERE state = 'paid'", ["withdrawal-differs withdrawal:1"]),
    (
        "UPDATE withdrawals SET state = 'failed' WHERE state = 'paid'",
        ["withdrawal-differs withdrawal:1"],
    ),
    (
        "UPDATE withdrawals SET state = 'paid' WHERE state = 'failed'",
        ["withdrawal-differs withdrawal:2"],
    ),
    (
        "UPDATE withdrawals SET state = 'paid', held = 0 WHERE held > 0",
        ["withdrawal-differs withdrawal:3", "held-differs user:1:held:kes"],
    ),
    (
        "UPDATE withdrawals SET state = 'paid' WHERE state = 'returned'",
        ["withdrawal-differs withdrawal:4"],
    ),
    (
        "UPDATE withdrawals SET state = 'returned' WHERE state = 'paid'",
        ["withdrawal-differs withdrawal:1"],
    ),
    (
        "UPDATE journals SET key = 'withdrawal:2:return' WHERE reason = 'return'",
        ["withdrawal-differs withdrawal:2", "withdrawal-differs withdrawal:4"],
    ),
    (
        "UPDATE journals SET key = 'withdrawal:1:cost' WHERE key = 'withdrawal:4:cost'",
        ["withdrawal-differs withdrawal:4"],
    ),
    (
        "DELETE FROM withdrawals WHERE state = 'paid'",
        ["journal-unexplained withdrawal:1:send", "journal-unexplained withdrawal:1:paid"],
    ),
    (
        "UPDATE orders SET args = args || '{\"tariff\": 0}'",
        ["order-differs order:1", "order-differs order:3", "order-differs order:4"],
    ),
    (
        "UPDATE journals SET key = 'deposit:2:cost' WHERE key = 'deposit:1:cost'",
        ["journal-unexplained deposit:1:cost"],
    ),
    ("DELETE FROM audit_log WHERE action = 'float-moved'", ["journal-unexplained float:start"]),
]
# Why money moves over rails.
OF_RAILS = frozenset(
    {
        Reason.DEPOSIT,
        Reason.SUSPENSE,
        Reason.RESOLUTION,
        Reason.WITHDRAWAL,
        Reason.SENDING,
        Reason.PAYOUT,
        Reason.BOUNCE,
        Reason.COST,
        Reason.RETURN,
        Reason.FLOAT,
    }
)
