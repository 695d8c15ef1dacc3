"""Medians and ratios over rounds that were interleaved in one run."""

from collections.abc import Sequence
from statistics import median


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Tell how many times as fast as *theirs* we are: the median of the rounds' own ratios."""
    return median(other / own for own, other in zip(ours, theirs, strict=True))


def spread(values: Sequence[float]) -> float:
    """Tell how far the rounds lie apart: the distance of the quartiles over the median."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return (ordered[-1 - quarter] - ordered[quarter]) / median(ordered)


def percentile(values: Sequence[float], share: float) -> float:
    """Read the value that *share* of all values stay below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
