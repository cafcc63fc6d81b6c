"""`weirworks-autoscaler`: starts the service."""

import sys

from weirworks_service import run_service

from weirworks_autoscaler.app import AutoscalerApp
from weirworks_autoscaler.settings import AutoscalerSettings


def main() -> int:
    """Returns the exit code."""
    return run_service("autoscaler", AutoscalerSettings, AutoscalerApp, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
