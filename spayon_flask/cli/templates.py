"""`flask spayon templates`: ours as a start for the shop's own."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from ..state import Current
from .command import Command


_OURS = Path(__file__).parent.parent / "templates" / "spayon" / "default"

#: The pages, the frame around them, and the macros that they share.
NAMES = ("base", "checkout", "return", "cancel", "error", "parts")


def create_templates(_: Current) -> click.Command:
    """Return the group of commands about templates."""

    @click.group("templates", help="The pages' templates.")
    def templates() -> None:
        pass

    @templates.command(
        "copy",
        cls=Command,
        help=f"Copy templates into the shop, to be changed there: {', '.join(NAMES)}; or all.",
    )
    @click.argument("names", nargs=-1, metavar="[NAME]...", type=click.Choice(NAMES))
    @click.option(
        "--to",
        type=click.Path(file_okay=False, path_type=Path),
        help="The shop's templates folder; by default that of the app.",
    )
    @click.option("--force", is_flag=True, help="Overwrite what is there.")
    @with_appcontext
    def copy(names: tuple[str, ...], to: Path | None, force: bool) -> None:
        folder = to or Path(current_app.root_path, current_app.template_folder or "templates")
        targets = {name: folder / "spayon" / f"{name}.html" for name in names or NAMES}
        there = [str(path) for path in targets.values() if path.exists()]

        if there and not force:
            raise click.ClickException(
                f"nothing copied, {', '.join(there)} is there already: add --force to overwrite, "
                "or name the others"
            )

        for name, path in targets.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((_OURS / f"{name}.html").read_bytes())
            click.echo(path)

    return templates
