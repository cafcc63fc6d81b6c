"""`python -m weirworks_models FOLDER` builds the model repository."""

import sys
from pathlib import Path

from weirworks_models.build import build_models


def main() -> int:
    """Returns the exit code."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m weirworks_models FOLDER\n")
        return 2
    build_models(Path(sys.argv[1]), lambda line: print(line, file=sys.stderr))  # noqa: T201  (its one output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
