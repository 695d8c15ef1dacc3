"""Command: what our commands have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from ..errors import SpayonError
from ..storage.database_errors import database_trouble


#: Exit code of a command that was called wrongly: EX_USAGE of sysexits.h. click's own 2 is what
#: `doctor` and `reconcile` say if something could not be told.
USAGE = 64


class Command(click.Command):
    """A command that says what is wrong in one line, without a traceback, and exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)

        except SpayonError as error:
            raise click.ClickException(str(error)) from error

        except Exception as error:
            if (trouble := database_trouble(error)) is None:
                raise

            raise click.ClickException(trouble) from error


@contextmanager
def usage_errors() -> Iterator[None]:
    """Let a command that was called wrongly exit with `USAGE`."""
    try:
        yield

    except click.UsageError as error:
        # The class's is for all of click; an error of its own may have another.
        error.exit_code = USAGE  # type: ignore[misc]
        raise
