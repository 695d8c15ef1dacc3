"""Two operations at the same time, of which one stands still ahead of each of its statements.

`make interleavings` explores every schedule of every pair; here a sample of them is tried.
"""

import pytest

from tests.databases import ENGINES
from tests.interleavings.explore import Explorer, Pair, all_pairs
from tests.interleavings.states import STATES

#: Schedules of each pair: the two after one another, and one in which they meet.
SAMPLE = 2

#: Of so many pairs one is tried, on each database other ones.
SHARE = 8

#: The same for `make test`.
FEW = 200


@pytest.mark.thorough
@pytest.mark.parametrize("state", STATES)
def test_no_promise_is_broken_in_a_state_while_two_operations_meet(
    explorer: Explorer, state: str
) -> None:
    _try(explorer, [pair for pair in _share(explorer, SHARE) if pair.state == state])


def test_no_promise_is_broken_while_two_operations_meet(explorer: Explorer) -> None:
    _try(explorer, _share(explorer, FEW))


def _share(explorer: Explorer, share: int) -> list[Pair]:
    place = ENGINES.index(explorer.engine)
    return [pair for number, pair in enumerate(all_pairs()) if number % share == place]


def _try(explorer: Explorer, pairs: list[Pair]) -> None:
    found = [explorer.explore(pair, SAMPLE) for pair in pairs]

    assert pairs
    assert all(each.schedules == SAMPLE for each in found)
    assert not [finding for each in found for finding in each.findings]
