"""Two operations at the same time, of which one stands still ahead of each of its statements.

`make interleavings` explores every schedule of every pair; here a sample of them is tried.
"""

from __future__ import annotations

import pytest

from tests.databases import ENGINES
from tests.interleavings.explore import Explorer
from tests.interleavings.explore import all_pairs
from tests.interleavings.explore import tally
from tests.interleavings.states import STATES


#: Schedules of each pair: the two after one another, and one in which they meet.
SAMPLE = 2

#: Of so many pairs one is tried, on each database other ones.
SHARE = 8


@pytest.mark.database
@pytest.mark.parametrize("state", STATES)
def test_no_promise_is_broken_while_two_operations_meet(explorer: Explorer, state: str) -> None:
    pairs = [
        pair
        for number, pair in enumerate(all_pairs())
        if pair.state == state and number % SHARE == ENGINES.index(explorer.engine)
    ]

    found = tally(explorer, pairs, SAMPLE)

    assert found.schedules == len(pairs) * SAMPLE > 0
    assert not found.findings
