"""The page `assumptions.md`, from the register: `python -m docs.assumptions_page` writes it."""

from pathlib import Path

from spayon_flask.assumptions import REGISTER


PAGE = Path(__file__).parent / "assumptions.md"

HEAD = """\
# Assumptions

What the package and its simulator take to be true of Spayon. Spayon's public documentation says
much of it. The rest is *unknown*, and the package is built so that it stands either answer. One
command compares the list with the real gateway:

```bash
flask --app shop spayon rehearse
```

It takes a few minutes, no payer, no money and no public address. It writes a report without secrets
into the instance folder. With `--pay` a person takes part, and with `--redelivery` it refuses
callbacks on purpose. [Going live](going-live.md) says when to run what, and
[Operating](operating.md#rehearse) how.

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
