"""Bars drawn as SVG, readable on light pages and on dark ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tests.benchmarks.documents import DOCS


WIDTH = 760
LABELS = 210
NUMBERS = 150
ROW = 26
TOP = 44


@dataclass(frozen=True)
class Bar:
    """One value; *ours* stands out in colour, *note* follows the number."""

    label: str
    value: float
    ours: bool = False
    note: str = ""


def draw(name: str, title: str, bars: Sequence[Bar], *, unit: str) -> None:
    """Draw *bars* into docs/images/benchmark-*name*.svg."""
    folder = DOCS / "images"
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"benchmark-{name}.svg").write_text(_svg(title, bars, unit))


def _svg(title: str, bars: Sequence[Bar], unit: str) -> str:
    height = TOP + ROW * len(bars) + 12
    longest = max(bar.value for bar in bars)
    rows = "".join(
        _row(bar, TOP + ROW * index, (WIDTH - LABELS - NUMBERS) / longest, unit)
        for index, bar in enumerate(bars)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(title)}" font-family="sans-serif" font-size="13">\n'
        "<style>text{fill:#1f2933}.bar{fill:#8a97a6}.ours{fill:#1565c0}.back{fill:#fff}"
        "@media (prefers-color-scheme:dark){text{fill:#e4e7eb}.back{fill:#16191d}"
        ".bar{fill:#6b7885}.ours{fill:#64b5f6}}</style>\n"
        f'<rect class="back" width="{WIDTH}" height="{height}" rx="6"/>\n'
        f'<text x="14" y="26" font-size="15" font-weight="bold">{escape(title)}</text>\n'
        f"{rows}</svg>\n"
    )


def _row(bar: Bar, top: int, scale: float, unit: str) -> str:
    length = max(1.0, bar.value * scale)
    digits = 0 if bar.value >= 100 else 2
    number = f"{bar.value:,.{digits}f} {unit} {bar.note}".strip()
    middle = top + 15
    return (
        f'<text x="{LABELS - 10}" y="{middle}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect class="{"ours" if bar.ours else "bar"}" x="{LABELS}" y="{top}"'
        f' width="{length:.1f}" height="{ROW - 6}" rx="2"/>'
        f'<text x="{LABELS + length + 8:.1f}" y="{middle}">{escape(number)}</text>\n'
    )
