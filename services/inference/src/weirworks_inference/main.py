"""`weirworks-inference`: starts the service."""

import sys

from weirworks_inference.host import tune_malloc


def main() -> int:
    """Returns the exit code."""
    # Before the libraries that allocate, and start threads that do, are imported.
    tune_malloc()
    from weirworks_service import run_service

    from weirworks_inference.app import InferenceApp
    from weirworks_inference.settings import InferenceSettings

    return run_service("inference", InferenceSettings, InferenceApp, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
