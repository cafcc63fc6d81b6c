"""`weirworks-telemetry`: starts the service."""

import sys

from weirworks_service import run_service

from weirworks_telemetry.app import TelemetryApp
from weirworks_telemetry.settings import TelemetrySettings


def main() -> int:
    """Returns the exit code."""
    return run_service("telemetry", TelemetrySettings, TelemetryApp, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
