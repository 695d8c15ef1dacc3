"""Storage: the only reader and writer of the two tables."""

from .checkouts import Claim
from .creations import EarlyReport
from .outbox import Leased
from .recording import Outcome
from .schedule import Due
from .storage import Storage
from .storage import forget_connections_after_fork


__all__ = [
    "Claim",
    "Due",
    "EarlyReport",
    "Leased",
    "Outcome",
    "Storage",
    "forget_connections_after_fork",
]
