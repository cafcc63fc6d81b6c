"""Sets up logs, metrics and traces, and carries events to telemetry without losing one."""
