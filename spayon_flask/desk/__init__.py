"""Staff: the desk, pages for the people who run the shop."""

from .blueprint import create_staff

__all__ = ["create_staff"]
