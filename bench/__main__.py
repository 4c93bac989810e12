"""
`python -m bench WHAT [--quick]`: figures as JSON; non-zero on a missed goal.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import ledger, rest, seal, town, ussd

PICTURE = Path(__file__).parent.parent / "docs" / "town.svg"


def main(argv: Sequence[str]) -> int:
    """Run a benchmark."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("what", choices=["ussd", "rest", "ledger", "seal", "town"])
    parser.add_argument("--quick", action="store_true", help="short rounds: a check, no measure")
    parser.add_argument("--people", type=int, help="how many, in town")
    parser.add_argument("--seed", type=int, default=town.SEED, help="of the chance in town")
    parser.add_argument("--picture", type=Path, help="where town is drawn")
    chosen = parser.parse_args(argv)
    if chosen.what == "town":
        people = chosen.people or (town.PEOPLE_QUICK if chosen.quick else town.PEOPLE)
        usual = Path(tempfile.gettempdir()) / PICTURE.name if chosen.quick else PICTURE
        return town.run(people=people, seed=chosen.seed, file=chosen.picture or usual)
    if chosen.what == "seal":
        return seal.run(leaves=seal.LEAVES_QUICK if chosen.quick else seal.LEAVES)
    run = {"ussd": ussd.run, "rest": rest.run, "ledger": ledger.run}[chosen.what]
    return run(seconds=0.5 if chosen.quick else 3.0, rounds=1 if chosen.quick else 5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
