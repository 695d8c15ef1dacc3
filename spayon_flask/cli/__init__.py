"""The commands `flask spayon ...`."""

from __future__ import annotations

from .command import create_group, for_command_line, takes_no_payments

__all__ = ["create_group", "for_command_line", "takes_no_payments"]
