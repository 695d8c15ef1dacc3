"""Figures written where people read them: tables between two marks of a page under docs/."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"


@dataclass(frozen=True)
class Table:
    """Rows under a header, every cell as text; the first column is the only one on the left."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Write the table in Markdown."""
        rule = ["---", *("---:" for _ in self.header[1:])]
        return "\n".join(f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows))

    def text(self) -> str:
        """Write the table for a terminal."""
        lines = [list(self.header), *(list(row) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if index == 0 else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )


def replace(page: str, mark: str, text: str) -> None:
    """Put *text* between the two comments of *page* that carry *mark*."""
    path = DOCS / page
    before, opening, rest = path.read_text().partition(f"<!-- {mark} -->\n")
    _, closing, after = rest.partition(f"<!-- /{mark} -->")
    if not opening or not closing:
        raise LookupError(f"docs/{page} has no place marked {mark}")

    path.write_text(f"{before}{opening}{text}\n{closing}{after}")
