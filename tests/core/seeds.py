"""What somebody may do to the book past every guard, and every break that must be found then."""

from __future__ import annotations

from account_seeds import ACCOUNT_SEEDS

ORDER = "SELECT min(o.id) FROM orders o WHERE o.state = 'done' AND o.kind = '{}'"
JOURNAL_OF = "SELECT j.id FROM journals j JOIN orders o ON o.key = j.key WHERE o.id = {}"
PICKS = {
    "order": ORDER.format("transfer"),
    "journal": JOURNAL_OF.format("({order})"),
    "payment": ORDER.format("payment"),
    "exchange": ORDER.format("exchange"),
    "refused": "SELECT min(id) FROM orders WHERE state = 'refused'",
    "payer": (
        "SELECT e.account_id FROM entries e WHERE e.journal_id = {journal} AND e.amount < 0"
        " AND EXISTS (SELECT FROM entries x WHERE x.account_id = e.account_id"
        " AND x.version = e.version + 1)"
    ),
    "at": "SELECT version FROM entries WHERE account_id = {payer} AND journal_id = {journal}",
    "quiet": (
        "SELECT a.id FROM accounts a WHERE a.mode = 'authorise' AND a.version > 5"
        " AND a.path LIKE 'user:%:main:kes' ORDER BY a.id LIMIT 1"
    ),
    "record": "SELECT id FROM accounts WHERE path = 'fees:transfer:kes'",
    "open_hold": "SELECT min(id) FROM holds WHERE state = 'open'",
    "captured": "SELECT min(id) FROM holds WHERE state = 'captured' AND captured < amount",
    "release": ORDER.format("release"),
    "released": "SELECT CAST(args ->> 'hold' AS bigint) FROM orders WHERE id = {release}",
    "hold": ORDER.format("hold"),
    "capture": ORDER.format("capture"),
    "held": "SELECT held_account_id FROM holds WHERE id = {open_hold}",
    "held_released": "SELECT held_account_id FROM holds WHERE id = {released}",
    "reversal": "SELECT min(id) FROM reversals WHERE state = 'approved' AND debt = 0",
    "debt": "SELECT min(id) FROM reversals WHERE debt > 0",
    "repayment": "SELECT id FROM journals WHERE reason = 'repayment'",
    "declined": (
        "SELECT min(id) FROM reversals r WHERE state = 'declined' AND NOT EXISTS (SELECT FROM"
        " reversals x WHERE x.original_id = r.original_id AND x.state <> 'declined')"
    ),
    "journals": "SELECT max(id) FROM journals",
    "accounts": "SELECT max(id) FROM accounts",
    "redemption": ORDER.format("redemption"),
    "refund": ORDER.format("refund"),
    "refunded": "SELECT payment_id FROM refunds WHERE order_id = {refund}",
    "batch": "SELECT max(id) FROM voucher_batches",
}

# What somebody does to the book, and every break that must be found then: these and no others.
SEEDS = ACCOUNT_SEEDS | {
    "what was given back is kept otherwise": (
        ["UPDATE refunds SET amount = amount - 1 WHERE order_id = {refund}"],
        ["refund-differs order:{refund}"],
    ),
    "more was given back than was paid": (
        ["UPDATE refunds SET amount = amount + 100000000 WHERE order_id = {refund}"],
        ["refund-differs order:{refund}", "refund-differs order:{refunded}"],
    ),
    "an entry is deleted": (
        ["DELETE FROM entries WHERE account_id = {payer} AND version = {at}"],
        [
            "balance account:{payer}",
            "numbering account:{payer}",
            "running account:{payer}",
            "journal-unbalanced journal:{journal}",
            "order-differs order:{order}",
            "outcome-differs order:{order}",
        ],
    ),
    "an entry has another amount": (
        ["UPDATE entries SET amount = amount - 1 WHERE account_id = {payer} AND version = {at}"],
        [
            "balance account:{payer}",
            "running account:{payer}",
            "journal-unbalanced journal:{journal}",
            "order-differs order:{order}",
        ],
    ),
    "an entry is doubled": (
        [
            (
                "INSERT INTO entries SELECT {payer}, a.version + 1, {journal}, e.amount,"
                " a.balance + e.amount FROM entries e, accounts a WHERE e.account_id = {payer}"
                " AND e.version = {at} AND a.id = {payer}"
            ),
        ],
        [
            "balance account:{payer}",
            "numbering account:{payer}",
            "journal-unbalanced journal:{journal}",
            "order-differs order:{order}",
            "outcome-differs order:{order}",
        ],
    ),
    "an entry has another balance after it": (
        [
            (
                "UPDATE entries SET balance_after = balance_after + 1"
                " WHERE account_id = {payer} AND version = {at}"
            )
        ],
        ["running account:{payer}", "outcome-differs order:{order}"],
    ),
    "an entry is of a record account, and goes": (
        ["DELETE FROM entries WHERE account_id = {record} AND journal_id = {journal}"],
        [
            "balance account:{record}",
            "journal-unbalanced journal:{journal}",
            "order-differs order:{order}",
        ],
    ),
    "an entry is put on another's account": (
        [
            (
                "UPDATE entries SET account_id = {record}, version = 9999999, balance_after = NULL"
                " WHERE account_id = {payer} AND version = {at}"
            )
        ],
        [
            "balance account:{payer}",
            "balance account:{record}",
            "numbering account:{payer}",
            "running account:{payer}",
            "order-differs order:{order}",
            "outcome-differs order:{order}",
        ],
    ),
    "an entry's account is of another currency": (
        ["UPDATE accounts SET currency = 'EUR' WHERE path = 'fees:payment:kes'"],
        [
            "currency-unbalanced currency:KES",
            "currency-unbalanced currency:EUR",
            "SELECT 'account-differs account:' || id FROM accounts WHERE path = 'fees:payment:kes'",
            (
                "SELECT 'journal-unbalanced journal:' || e.journal_id FROM entries e"
                " JOIN accounts a ON a.id = e.account_id WHERE a.path = 'fees:payment:kes'"
            ),
        ],
    ),
    "a journal goes": (
        ["DELETE FROM journals WHERE id = {journal}"],
        ["journal-missing journal:{journal}", "order-without-journal order:{order}"],
    ),
    "a journal goes with its entries": (
        [
            "DELETE FROM journals WHERE id = {journal}",
            "DELETE FROM entries WHERE journal_id = {journal}",
        ],
        [
            "order-without-journal order:{order}",
            "SELECT 'balance account:' || account_id FROM entries WHERE journal_id = {journal}",
            (
                "SELECT 'numbering account:' || account_id FROM entries"
                " WHERE journal_id = {journal} AND balance_after IS NOT NULL"
            ),
            (
                "SELECT 'running account:' || e.account_id FROM entries e JOIN entries n"
                " ON n.account_id = e.account_id AND n.version = e.version + 1"
                " WHERE e.journal_id = {journal} AND e.balance_after IS NOT NULL"
            ),
        ],
    ),
    "a journal has no entries": (
        [
            (
                "INSERT INTO journals (id, key, reason, posted_at) OVERRIDING SYSTEM VALUE"
                " VALUES ({journals} + 1, 'x', 'opening', now())"
            )
        ],
        ["journal-empty journal:{journals_next}"],
    ),
    "a journal nobody ordered": (
        [
            (
                "INSERT INTO journals (id, key, reason, reference, posted_at)"
                " OVERRIDING SYSTEM VALUE"
                " VALUES ({journals} + 1, 'again', 'transfer', 'TAGAIN', now())"
            ),
            (
                "INSERT INTO entries SELECT {record}, 9999990 + n, {journals} + 1, 3 - 2 * n, NULL"
                " FROM generate_series(1, 2) n"
            ),
            (
                "INSERT INTO unrolled SELECT {record}, 9999990 + n, 3 - 2 * n"
                " FROM generate_series(1, 2) n"
            ),
        ],
        ["journal-unexplained journal:{journals_next}"],
    ),
    "an account goes": (
        ["DELETE FROM accounts WHERE id = {quiet}"],
        [
            "account-missing account:{quiet}",
            "currency-unbalanced currency:KES",
            (
                "SELECT 'journal-unbalanced journal:' || journal_id FROM entries"
                " WHERE account_id = {quiet}"
            ),
            (
                "SELECT 'order-differs order:' || o.id FROM orders o"
                " JOIN journals j ON j.key = o.key OR j.reference = o.reference"
                " JOIN entries e ON e.journal_id = j.id WHERE e.account_id = {quiet}"
            ),
        ],
    ),
    "an order's amount is changed": (
        [
            "UPDATE orders SET args = jsonb_set(args, '{{amount}}', '7') WHERE id = {order}",
        ],
        ["order-differs order:{order}"],
    ),
    "an order's currency is changed": (
        [
            (
                "UPDATE orders SET args = jsonb_set(args, '{{currency}}', '\"EUR\"')"
                " WHERE id = {order}"
            ),
        ],
        ["order-differs order:{order}"],
    ),
    "a payment's recipient is changed": (
        ["UPDATE orders SET args = jsonb_set(args, '{{recipient}}', '3') WHERE id = {payment}"],
        ["order-differs order:{payment}"],
    ),
    "an exchange was promised another price": (
        ["UPDATE quotes SET get = get + 1 WHERE order_id = {exchange}"],
        ["order-differs order:{exchange}"],
    ),
    "a done order is placed again": (
        ["UPDATE orders SET state = 'placed' WHERE id = {order}"],
        ["order-not-done order:{order}"],
    ),
    "a refused order is done": (
        ["UPDATE orders SET state = 'done' WHERE id = {refused}"],
        ["order-without-journal order:{refused}"],
    ),
    "an order goes": (
        ["DELETE FROM orders WHERE id = {order}"],
        ["journal-unexplained journal:{journal}"],
    ),
    "an outcome tells another balance": (
        ["UPDATE orders SET outcome = '{{\"1\": 5}}' WHERE id = {order}"],
        ["outcome-differs order:{order}"],
    ),
    "an order is late": (
        [
            (
                "UPDATE orders SET state = 'placed', outcome = NULL, placed_at = '2026-01-01'"
                " WHERE id = {refused}"
            )
        ],
        ["order-late order:{refused}"],
    ),
    "a hold's amount is changed": (
        ["UPDATE holds SET amount = amount + 1 WHERE id = {open_hold}"],
        ["hold-differs hold:{open_hold}", "held-differs account:{held}"],
    ),
    "an open hold is called released": (
        ["UPDATE holds SET state = 'released' WHERE id = {open_hold}"],
        ["hold-differs hold:{open_hold}", "held-differs account:{held}"],
    ),
    "a released hold is called open": (
        ["UPDATE holds SET state = 'open' WHERE id = {released}"],
        ["hold-differs hold:{released}", "held-differs account:{held_released}"],
    ),
    "less was captured than went on": (
        ["UPDATE holds SET captured = captured - 1 WHERE id = {captured}"],
        ["hold-differs hold:{captured}"],
    ),
    "a hold goes": (
        ["DELETE FROM holds WHERE id = {released}"],
        [
            (
                "SELECT 'journal-unexplained journal:' || id FROM journals"
                " WHERE key LIKE 'hold:{released}:%'"
            ),
            "order-differs order:{release}",
        ],
    ),
    "the fee of a capture is ordered otherwise": (
        [
            (
                "UPDATE orders SET args = args || jsonb_build_object('fee',"
                " CAST(args ->> 'fee' AS bigint) + 1) WHERE id = {capture}"
            )
        ],
        ["order-differs order:{capture}"],
    ),
    "a capture is of a hold for somebody else": (
        [
            (
                "UPDATE holds SET beneficiary_id = owner_id WHERE id = (SELECT"
                " CAST(args ->> 'hold' AS bigint) FROM orders WHERE id = {capture})"
            )
        ],
        ["order-differs order:{capture}"],
    ),
    "what was set aside was ordered to be more": (
        [
            (
                "UPDATE orders SET args = args || jsonb_build_object('amount',"
                " CAST(args ->> 'amount' AS bigint) + 1) WHERE id = {hold}"
            )
        ],
        ["order-differs order:{hold}"],
    ),
    "a reversal's debt is changed": (
        ["UPDATE reversals SET debt = debt + 1 WHERE id = {debt}"],
        ["reversal-differs reversal:{debt}"],
    ),
    "nobody signed for a debt that was collected": (
        ["DELETE FROM audit_log WHERE action = 'debt-collected'"],
        ["journal-unexplained journal:{repayment}"],
    ),
    "more of a debt was collected than was signed for": (
        [
            """UPDATE audit_log SET detail = detail || '{{"amount": 1}}'
            WHERE action = 'debt-collected'"""
        ],
        ["journal-unexplained journal:{repayment}"],
    ),
    "a reversal mirrors another journal": (
        ["UPDATE reversals SET original_id = 1 WHERE id = {reversal}"],
        ["reversal-differs reversal:{reversal}"],
    ),
    "a reversal shows staff another order": (
        ["UPDATE reversals SET order_id = {payment} WHERE id = {reversal}"],
        ["reversal-differs reversal:{reversal}"],
    ),
    "an approved reversal is called declined": (
        ["UPDATE reversals SET state = 'declined', debt = 0 WHERE id = {reversal}"],
        ["reversal-differs reversal:{reversal}"],
    ),
    "a declined reversal is called approved": (
        ["UPDATE reversals SET state = 'approved' WHERE id = {declined}"],
        ["reversal-differs reversal:{declined}"],
    ),
    "a voucher is open again": (
        [
            (
                "UPDATE vouchers SET state = 'open', order_id = NULL, resolved_at = NULL"
                " WHERE order_id = {redemption}"
            )
        ],
        ["order-differs order:{redemption}"],
    ),
    "a voucher comes from nowhere": (
        ["INSERT INTO vouchers (batch_id, number, code_hash) VALUES ({batch}, 99, 'x')"],
        ["vouchers-differ batch:{batch}"],
    ),
    "a batch goes": (
        ["DELETE FROM voucher_batches WHERE id = {batch}"],
        [
            (
                "SELECT 'journal-unexplained journal:' || id FROM journals"
                " WHERE key LIKE 'vouchers:refund:{batch}:%' OR key = 'vouchers:issue:hers'"
            )
        ],
    ),
    "more was given back than a batch says": (
        ["UPDATE voucher_batches SET refunded = refunded - 1 WHERE id = {batch}"],
        ["vouchers-differ batch:{batch}"],
    ),
    "what was not rolled up yet is changed": (
        [
            "INSERT INTO unrolled VALUES ({record}, 9999999, 5)",
        ],
        ["balance account:{record}", "currency-unbalanced currency:KES"],
    ),
}
