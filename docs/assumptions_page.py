"""The page `assumptions.md`, from the register: it is written when the site is built."""

from pathlib import Path

from spayon_flask.rehearsal.assumptions import DOCUMENTED, REGISTER, UNKNOWN

HEAD = """\
# Assumptions

What the package and its simulator take to be true of Spayon. An entry that is *documented* is in
Spayon's public documentation. An entry that is *unknown* is not: if a [rehearsal](rehearsal.md)
cannot find it out, ask Spayon's support. The last column says what tries an entry, or why nothing
can.

| | assumed | source | otherwise | found out by |
|---|---|---|---|---|
"""


SOURCES = {DOCUMENTED: "documented", UNKNOWN: "*unknown*"}


def write(page: Path) -> None:
    """Write the page, if it is not so already."""
    text = HEAD + "".join(
        f"| `{each.id}` | {each.assumed} | {SOURCES[each.source]} "
        f"| {each.otherwise} | {each.found_out_by} |\n"
        for each in REGISTER
    )

    if not page.is_file() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")
