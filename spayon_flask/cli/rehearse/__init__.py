"""`flask spayon rehearse`."""

from __future__ import annotations

from .command import create_command


__all__ = ["create_command"]
