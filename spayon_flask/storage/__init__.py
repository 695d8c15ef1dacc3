"""Storage: the only reader and writer of the two tables."""

from .checkouts import Claim
from .checkouts import EarlyReport
from .outbox import Leased
from .recording import Outcome
from .schedule import Due
from .storage import Storage


__all__ = ["Claim", "Due", "EarlyReport", "Leased", "Outcome", "Storage"]
