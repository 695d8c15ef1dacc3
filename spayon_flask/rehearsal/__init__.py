"""The rehearsal: a program that finds out what Spayon really does, before a shop goes live."""

from __future__ import annotations

from .rehearsal import Options, rehearse, run

__all__ = ["Options", "rehearse", "run"]
