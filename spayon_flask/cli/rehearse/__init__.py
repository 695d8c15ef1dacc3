"""`flask spayon rehearse`."""

from __future__ import annotations

from .command import create_rehearse


__all__ = ["create_rehearse"]
