"""A few thousand mutants with every test run; `make fuzz` sends a hundred thousand."""

from pathlib import Path

import pytest

from tests.fuzz.session import ALLOWED, fuzz


@pytest.mark.timeout(300)
async def test_mutants_are_answered_or_refused_with_a_reason(tmp_path: Path) -> None:
    findings = await fuzz(tmp_path, 5_000, seed=20261124)
    assert findings.bad == []
    assert set(findings.codes) <= ALLOWED
    assert findings.total == 5_000
    assert findings.decoding >= findings.total / 2
    # Neither all refused nor all let through: the mutants reach what is behind the checks.
    assert 100 < findings.codes["OK"] < 4_000
    assert findings.codes["INVALID_ARGUMENT"] > 500
    assert findings.right_after
