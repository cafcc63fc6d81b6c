"""Runs one Weirworks service as a process: settings, start, `ready` line, drain."""

from weirworks_service.process import App, run_service
from weirworks_service.settings import ServiceSettings

__all__ = ["App", "ServiceSettings", "run_service"]
