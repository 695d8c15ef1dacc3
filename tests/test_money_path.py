"""The way of a first `paid` callback is short enough to be read."""

from __future__ import annotations

from tests.benchmarks.path import MONEY_PATH
from tests.benchmarks.path import OURS
from tests.benchmarks.path import trace


def test_a_first_paid_callback_passes_at_most_12_modules_and_40_functions() -> None:
    passed = trace()[OURS]

    assert set(MONEY_PATH) < set(passed)
    assert len(passed) <= 12
    assert sum(map(len, passed.values())) <= 40
