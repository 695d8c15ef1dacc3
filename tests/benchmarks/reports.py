"""What a benchmark hands back: a table, goals met or missed, and remarks."""

from dataclasses import dataclass, field

from tests.benchmarks.documents import Table


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure that must be at least *least*, or at most *most*."""

    what: str
    value: float
    least: float | None = None
    most: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def met(self) -> bool:
        """Return True if the figure is as good as it must be."""
        enough = self.least is None or self.value >= self.least
        return enough and (self.most is None or self.value <= self.most)

    def row(self) -> tuple[str, ...]:
        """Write the goal as a row of a table."""
        wanted = f"≥ {self.least:.2f}" if self.least is not None else f"≤ {self.most:.2f}"
        verdict = "met" if self.met else "**missed**"
        return (self.what, wanted + self.unit, f"{self.value:.2f}{self.unit}", verdict, self.note)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The outcome of one benchmark; its table goes to the mark *name* of *page*."""

    name: str
    table: Table
    page: str = "performance.md"
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def goal_table(self) -> Table:
        """Set the goals out as a table of their own."""
        header = ("goal", "wanted", "measured", "", "remark")
        return Table(header, [goal.row() for goal in self.goals])

    def markdown(self) -> str:
        """Write everything for the page."""
        parts = [self.table.markdown()]

        if self.notes:
            parts.append("\n".join(f"- {note}" for note in self.notes))

        return "\n" + "\n\n".join(parts) + "\n"

    def text(self) -> str:
        """Write everything for a terminal."""
        parts = [f"== {self.name}", self.table.text()]
        if self.goals:
            parts.append(self.goal_table().text())

        return "\n\n".join([*parts, *self.notes]) + "\n"
