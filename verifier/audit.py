"""
Audits a whole book against its sealed log. Needs Python, `cryptography` and psql; nothing of ours.

`audit.py KEY ADDRESS [FILE …]`: KEY is the log's public key, or a file with it, from somebody you
trust, not from the bank on the same day. ADDRESS is PostgreSQL's, read in one snapshot. FILE is
`checkpoints.jsonl`, from wherever it was kept. Ends with 0 when everything is so, else with 1.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
from binascii import unhexlify
from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import reduce
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SQL = """BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET search_path = pg_catalog, public; SET timezone = 'UTC'; SET statement_timeout = 0;
COPY (SELECT 'checkpoint', size, note FROM checkpoints ORDER BY size) TO STDOUT;
COPY (SELECT 'block', number, first, count, encode(root, 'hex'),
    (extract(epoch FROM sealed_at) * 1000000)::bigint FROM blocks ORDER BY number) TO STDOUT;
COPY (SELECT 'leaf', position, coalesce(encode(data, 'hex'), ''), coalesce(encode(hash, 'hex'), '')
    FROM positions p LEFT JOIN leaves l ON l.journal_id = p.journal_id ORDER BY position) TO STDOUT;
COPY (SELECT 'subtree', level, position, encode(hash, 'hex') FROM subtrees) TO STDOUT;
COPY (VALUES ('book')) TO STDOUT;
COPY (SELECT 'account', a.id, a.currency, a.mode, a.balance + coalesce(u.amount, 0), a.version,
    coalesce(e.amount, 0), coalesce(number, 0), coalesce(last, 0), coalesce(exact, 0),
    coalesce(wrong, 0) FROM accounts a LEFT JOIN (SELECT account_id, sum(amount) AS amount,
        count(*) AS number, max(version) AS last, count(balance_after) AS exact,
        count(*) FILTER (WHERE balance_after <> running) AS wrong FROM (SELECT *,
            sum(amount) OVER (PARTITION BY account_id ORDER BY version) AS running FROM entries) x
        GROUP BY account_id) e ON e.account_id = a.id LEFT JOIN (SELECT account_id, sum(amount)
            AS amount FROM unrolled GROUP BY account_id) u ON u.account_id = a.id) TO STDOUT;
COPY (SELECT 'journal', coalesce(j.id, l.journal_id, e.journal_id), j.id IS NULL OR e.moved IS NULL,
    encode(l.data, 'hex'), encode(l.kept, 'hex'), concat_ws('|', 'kabambe/1', j.id, j.reason,
        coalesce(j.reference, '-'), (extract(epoch FROM j.posted_at) * 1000000)::bigint,
        coalesce(r.original_id::text, '-')), e.moved, concat_ws('|', e.left_at, j.key),
    p.position IS NULL AND abs(extract(epoch FROM now() - j.posted_at)) > 600
    FROM journals j FULL JOIN leaves l ON l.journal_id = j.id LEFT JOIN reversals r
        ON r.journal_id = j.id LEFT JOIN positions p ON p.journal_id = j.id FULL JOIN (SELECT
        journal_id, string_agg(concat_ws(' ', account_id, coalesce(currency, '?'), amount), ','
            ORDER BY account_id, x.version) AS moved, string_agg(concat_ws(' ', path,
            coalesce(holder_id::text, '-'), x.version, coalesce(balance_after::text, '-')), ','
            ORDER BY account_id, x.version) AS left_at FROM entries x LEFT JOIN accounts a
        ON a.id = account_id GROUP BY journal_id) e ON e.journal_id = j.id) TO STDOUT;"""
NULL = rb"\N"
NOTE = re.compile(r"(\S+)\n([0-9]+)\n(\S+)\nsigned ([0-9]+)\n\n— \1 (\S+)\n")


class Audit:
    """Takes the bank's rows, one after another, and notes what is wrong with them."""

    def __init__(self, key: str) -> None:
        self.origin, hint, public = key.strip().split("+", 2)
        self.hint, raw = bytes.fromhex(hint), base64.b64decode(public)
        if sha256(f"{self.origin}\n".encode() + raw).digest()[:4] != self.hint:
            raise ValueError("the key is not whole: its checksum is another")
        self.key = Ed25519PublicKey.from_public_bytes(raw[1:])
        self.faults: list[str] = []
        self.totals: dict[bytes, int] = {}  # by currency
        self.said: dict[int, list[tuple[str, bytes]]] = {0: []}  # by size: who says which root
        self.signed: dict[int, int] = {0: 0}  # by size: when
        self.sizes: list[int] = []  # of checkpoints, in order
        self.stack: list[bytes] = []  # the right edge of the tree
        self.made: set[tuple[bytes, ...]] = set()  # its complete subtrees
        self.size = self.journals = self.blocks = self.ended = 0
        self.began = {b"": time.monotonic()}  # each section

    def checkpoint(self, size: bytes, note: bytes, name: str = "checkpoint") -> None:
        """See that a checkpoint is signed, and remember what it says."""
        found = NOTE.fullmatch(note.decode())
        origin, number, root, at, signature = found.groups() if found else ("",) * 5
        try:
            raw = base64.b64decode(signature, validate=True)
            self.key.verify(raw[4:], note.partition(b"\n\n")[0] + b"\n")
        except (InvalidSignature, ValueError):
            origin = ""
        if origin != self.origin or raw[:4] != self.hint or size not in (b"", number.encode()):
            self.faults.append(f"{name} {size.decode()}: it is not signed, or not by this log")
            return
        self.said.setdefault(int(number), []).append((f"{name} {number}", base64.b64decode(root)))
        self.signed.setdefault(int(number), int(at))

    def book(self) -> None:
        """The log has been read; from here on it is compared with the book."""

    def account(self, *row: bytes) -> None:
        """Compare a balance with what the entries come to."""
        number, currency, mode, balance, version, amount, count, last, exact, wrong = row
        self.totals[currency] = self.totals.get(currency, 0) + int(amount)
        kept = {b"authorise": (count, count, count), b"record": (b"0", last, b"0")}.get(mode)
        if (version, last, exact) != kept or balance != amount or wrong != b"0":
            self.faults.append(f"account {number.decode()}: its entries come to something else")

    def block(self, number: bytes, first: bytes, count: bytes, root: bytes, at: bytes) -> None:
        """See that a block follows the last without a gap, and remember its root."""
        is_next = int(number) == self.blocks and int(first) == self.ended and int(count) > 0
        self.ended, self.blocks = int(first) + int(count), self.blocks + 1
        self.sizes = self.sizes or sorted(self.signed)
        under = bisect_left(self.sizes, self.ended)
        if not is_next or [int(at)] != [self.signed[x] for x in self.sizes[under : under + 1]]:
            self.faults.append(f"block {number.decode()}: out of turn, or of another time")
        self.said.setdefault(self.ended, []).append((f"block {int(number)}", unhexlify(root)))

    def leaf(self, position: bytes, data: bytes, hashed: bytes) -> None:
        """Put a leaf into the tree, and compare the root with all that was ever said of it."""
        node, number, level = sha256(b"\0" + unhexlify(data)).digest(), self.size, 0
        if int(position) != number or unhexlify(hashed) != node:
            self.faults.append(f"position {position.decode()}: out of turn, or its leaf is changed")
        while number & 1:
            node = sha256(b"\1" + self.stack.pop() + node).digest()
            number, level = number >> 1, level + 1
            if not level & 7:
                self.made.add((b"%d" % level, b"%d" % number, node.hex().encode()))
        self.stack.append(node)
        self.size += 1
        for name, said in self.said.get(self.size, ()):
            if said != reduce(lambda x, y: sha256(b"\1" + y + x).digest(), self.stack[::-1]):
                self.faults.append(f"{name}: the log does not have the root that it says")

    def subtree(self, *row: bytes) -> None:
        self.made ^= {row}  # what is left over at the end is missing, or false

    def journal(self, *row: bytes) -> None:
        """Compare a journal and its entries, to the byte, with what was sealed."""
        number, lost, data, kept, head, moved, left, is_late = row
        uneven: dict[bytes, int] = {}
        for leg in moved.split(b",") if lost == b"f" else ():
            _account, currency, amount = leg.rsplit(b" ", 2)
            uneven[currency] = uneven.get(currency, 0) + int(amount)
        if lost != b"f" or is_late == b"t" or any(uneven.values()):
            self.faults.append(f"journal {number.decode()}: lost, never sealed, or not of sum zero")
        secret = b"" if data == NULL else unhexlify(kept)
        sealed = b"|".join((head, moved, sha256(secret).hexdigest().encode()))
        self.journals += 1
        if data != NULL and (secret[33:] != left or unhexlify(data) != sealed):
            self.faults.append(f"journal {number.decode()}: it is not what was sealed")

    def end(self) -> None:
        """See that nothing was said of more than there is, and that everything was signed."""
        if {max(self.said), max(self.signed), self.ended} != {self.size}:
            self.faults.append(f"{max(self.said)} leaves were sealed, there are {self.size}")
        if self.made or any(self.totals.values()):
            self.faults.append("the subtrees are not of this tree, or not all comes to zero")

    def read(self, lines: Iterable[bytes]) -> None:
        take: dict[bytes, Callable[..., None]] = {}
        for line in lines:
            name, *row = line[:-1].split(b"\t")
            if name not in take:
                take[name], self.began[name] = getattr(self, name.decode()), time.monotonic()
            if b"\\" in line:  # as PostgreSQL's text format has it; what is no value stays \N
                row = [x if x == NULL else x.decode("unicode_escape").encode("l1") for x in row]
            take[name](*row)


def main(key: str = "", address: str = "", *published: str) -> int:
    try:
        audit, cut = Audit(Path(key).read_text() if Path(key).is_file() else key), 0
        for line in (line for each in published for line in Path(each).read_bytes().splitlines()):
            try:
                note = json.loads(line).encode()
            except (AttributeError, ValueError):  # no JSON string: a crash has cut it short
                cut += 1
            else:
                audit.checkpoint(b"", note, "published checkpoint")
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", SQL, address]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as psql:
            audit.read(psql.stdout or ())
        if psql.returncode:
            raise ValueError("psql did not say everything")  # noqa: TRY301
        audit.end()
    except (OSError, ValueError) as error:
        print(f"This could not be audited: {error}\n{__doc__}", file=sys.stderr)
        return 1
    if bad := audit.faults:
        print(*bad[:20], f"{len(bad)} faults: this is not the book that was sealed.", sep="\n")
        return 1
    late, now, book = audit.journals - audit.size, time.monotonic(), audit.began[b"book"]
    print(f"{audit.size} journals, all as they were sealed; {late} not sealed yet.")
    seen = f"\n{cut} cut lines of FILE were passed over." if cut else ""
    seen = seen if published else "\nNo FILE was given: a tail cut off whole was NOT looked for."
    print(f"{len(audit.signed) - 1} checkpoints of {audit.origin}, all signed, of this log.{seen}")
    print(f"The log took {book - audit.began[b'']:.2f} s, the book {now - book:.2f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
