"""Command: what our commands have in common."""

from __future__ import annotations

from typing import Any

import click

from ..errors import SpayonError


class Command(click.Command):
    """A command that says what is wrong in one line, without a traceback, and exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)

        except SpayonError as error:
            raise click.ClickException(str(error)) from error
