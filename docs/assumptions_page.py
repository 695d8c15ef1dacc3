"""The page `assumptions.md`, from the register: `python -m docs.assumptions_page` writes it."""

from pathlib import Path

from spayon_flask.assumptions import REGISTER


PAGE = Path(__file__).parent / "assumptions.md"

HEAD = """\
# Assumptions

What the package and its simulator take to be true of Spayon. An entry that is *documented* is in
Spayon's public documentation. An entry that is *unknown* is not, and the package is built so that
either answer works. If something cannot work, the column "otherwise" says what to do. One command
compares the list with the real gateway:

```bash
flask --app shop spayon rehearse
```

The command takes about two minutes. It needs no payer, no money and no public address. It writes a
report without secrets into the instance folder. With `--pay` a person takes part. With
`--redelivery` callbacks are refused on purpose. [Going live](going-live.md) says when to run the
command, and [Operating](operating.md#rehearse) says how.

The last column names the command that tries an entry, or says why no command does.

| | assumed | source | otherwise | found out by |
|---|---|---|---|---|
"""


def render() -> str:
    """Return the page."""
    return HEAD + "".join(
        f"| `{each.id}` | {each.assumed} | {'documented' if each.documented else '*unknown*'} "
        f"| {each.otherwise} | {each.found_out_by} |\n"
        for each in REGISTER
    )


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
