"""`flask spayon doctor`."""

from __future__ import annotations

from .command import create_doctor


__all__ = ["create_doctor"]
