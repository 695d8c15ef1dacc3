"""Person: who decides at this shell, and why."""

from __future__ import annotations

import getpass

import click

from ..orders import MAX_TEXT_LENGTH


def person(by: str | None) -> str:
    """Return the name *by*, or else that of the user of this shell."""
    try:
        return (by or getpass.getuser())[:MAX_TEXT_LENGTH]

    except (OSError, KeyError):  # a container whose user has no name
        raise click.UsageError("say who decides: --by NAME") from None


def reason(because: str | None, what: str) -> str:
    """Return the reason *because*; without one the command ends, and names *what* it is for."""
    text = (because or "").strip()

    if not text:
        raise click.UsageError(f'{what}, and say why: --because "..."')

    return text
