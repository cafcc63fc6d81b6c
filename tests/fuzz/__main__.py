"""`make fuzz`: prints how mutants were answered; exit code 1 for any answer that is not allowed."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.fuzz.session import fuzz


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        findings = asyncio.run(fuzz(Path(folder), arguments.count, arguments.seed))
    print(f"{findings.total:,} mutants, {findings.decoding / findings.total:.0%} decode, seed {arguments.seed}")
    for code, number in findings.codes.most_common():
        print(f"{code:<20} {number:>8,}")
    for mutant, answer in findings.bad[:20]:
        print(f"BAD {mutant.method} {answer}\n    {mutant.wire.hex()[:400]}")
    print("right afterwards" if findings.right_after else "WRONG afterwards")
    return 0 if not findings.bad and findings.right_after else 1


if __name__ == "__main__":
    sys.exit(main())
