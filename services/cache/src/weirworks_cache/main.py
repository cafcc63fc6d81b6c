"""`weirworks-cache`: starts the service."""

import sys

from weirworks_service import run_service

from weirworks_cache.app import CacheApp
from weirworks_cache.settings import CacheSettings


def main() -> int:
    """Returns the exit code."""
    return run_service("cache", CacheSettings, CacheApp, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
