"""Storage: the only reader and writer of the two tables."""

from .checkouts import Claim
from .creations import EarlyReport
from .ledger import Filter
from .ledger import Found
from .ledger import Key
from .outbox import Leased
from .recording import Outcome
from .schedule import Due
from .storage import Storage
from .storage import forget_connections_after_fork
from .totals import Total


__all__ = [
    "Claim",
    "Due",
    "EarlyReport",
    "Filter",
    "Found",
    "Key",
    "Leased",
    "Outcome",
    "Storage",
    "Total",
    "forget_connections_after_fork",
]
