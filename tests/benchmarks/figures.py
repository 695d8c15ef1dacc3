"""What a benchmark hands back: a table of `docs/performance.md`, goals met or missed, and notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


@dataclass(frozen=True)
class Goal:
    """A figure that must be at least *least*, and at most *most*."""

    what: str
    value: float
    least: float = 0.0
    most: float = inf

    @property
    def met(self) -> bool:
        """Return True if the figure is as good as it must be."""
        return self.least <= self.value <= self.most

    def __str__(self) -> str:
        verdict = "met" if self.met else "MISSED"
        return f"{verdict}: {self.what}: {self.value:.2f} (wanted: {self.least} to {self.most})"


@dataclass(frozen=True)
class Figures:
    """The outcome of one benchmark; its table stands between two comments with *name* in them."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """Write table and notes for the page; the first column is the only one on the left."""
        rule = ["---", *("---:" for _ in self.header[1:])]
        lines = [f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows)]
        return "\n\n".join(["\n".join(lines), *(f"- {note}" for note in self.notes)])

    def write(self) -> None:
        """Renew the table on the page."""
        opening, closing = f"<!-- {self.name} -->\n", f"<!-- /{self.name} -->"
        before, _, rest = PAGE.read_text().partition(opening)
        _, found, after = rest.partition(closing)
        assert found, f"{PAGE} has no place for {self.name}"
        PAGE.write_text(f"{before}{opening}\n{self.markdown()}\n\n{closing}{after}")


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Tell how many times as fast as *theirs* we are: the median of the rounds' own ratios."""
    return median(other / own for own, other in zip(ours, theirs, strict=True))
