"""What happened to one model, as Triton's statistics extension counts it; times in nanoseconds."""

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """How often something happened and how long it took in all."""

    count: int = 0
    nanoseconds: int = 0

    def add(self, seconds: float, count: int = 1) -> None:
        """Counts one more, or several that took `seconds` together."""
        self.count += count
        self.nanoseconds += round(seconds * 1e9)


@dataclass(slots=True)
class BatchTally:
    """Runs of one batch size: preparing inputs, running, taking outputs apart."""

    prepare: Tally = field(default_factory=Tally)
    run: Tally = field(default_factory=Tally)
    finish: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Statistics:
    """Counts since the process started. `rows` counts inferences, `runs` executions: fewer when batched."""

    rows: int = 0
    runs: int = 0
    last_use_milliseconds: int = 0
    success: Tally = field(default_factory=Tally)
    fail: Tally = field(default_factory=Tally)
    queue: Tally = field(default_factory=Tally)
    prepare: Tally = field(default_factory=Tally)
    run: Tally = field(default_factory=Tally)
    finish: Tally = field(default_factory=Tally)
    batches: dict[int, BatchTally] = field(default_factory=lambda: defaultdict(BatchTally))
    # Of the run after the last load, and the mean of those after it; seconds.
    cold: float = 0.0
    warm: float = 0.0
    warm_runs: int = 0

    def record_run(self, rows: int, prepare: float, run: float, finish: float, wall_milliseconds: int) -> None:
        """One execution of a batch; the first after a load is the cold one."""
        self.rows += rows
        self.runs += 1
        self.last_use_milliseconds = wall_milliseconds
        batch = self.batches[rows]
        batch.prepare.add(prepare)
        batch.run.add(run)
        batch.finish.add(finish)
        if self.cold == 0.0:
            self.cold = prepare + run + finish
        else:
            self.warm_runs += 1
            self.warm += (prepare + run + finish - self.warm) / self.warm_runs

    def record_request(self, queued: float, prepare: float, run: float, finish: float, total: float) -> None:
        """One request that was answered; it waited for the whole of its batch."""
        self.success.add(total)
        self.queue.add(queued)
        self.prepare.add(prepare)
        self.run.add(run)
        self.finish.add(finish)

    def record_failure(self, total: float) -> None:
        """One request that was refused after its model was found."""
        self.fail.add(total)

    def record_load(self) -> None:
        """The next run is a cold one."""
        self.cold = self.warm = 0.0
        self.warm_runs = 0
