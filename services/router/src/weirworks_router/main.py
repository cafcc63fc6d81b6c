"""`weirworks-router`: starts the service."""

import sys

from weirworks_service import run_service

from weirworks_router.app import RouterApp
from weirworks_router.settings import RouterSettings


def main() -> int:
    """Returns the exit code."""
    return run_service("router", RouterSettings, RouterApp, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
