"""Storage: the only reader and writer of the two tables."""

from .checkouts import Made, NotNewError
from .schedule import Due
from .storage import Storage, forget_connections_after_fork
from .transactions import Source

__all__ = [
    "Due",
    "Made",
    "NotNewError",
    "Source",
    "Storage",
    "forget_connections_after_fork",
]
