"""
`python -m bench {ussd,ledger,seal} [--quick]`: one JSON object a figure; non-zero on a missed goal.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench import ledger, seal, ussd


def main(argv: Sequence[str]) -> int:
    """Run a benchmark."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("what", choices=["ussd", "ledger", "seal"])
    parser.add_argument("--quick", action="store_true", help="short rounds: a check, no measure")
    chosen = parser.parse_args(argv)
    if chosen.what == "seal":
        return seal.run(leaves=seal.LEAVES_QUICK if chosen.quick else seal.LEAVES)
    run = {"ussd": ussd.run, "ledger": ledger.run}[chosen.what]
    return run(seconds=0.5 if chosen.quick else 3.0, rounds=1 if chosen.quick else 5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
