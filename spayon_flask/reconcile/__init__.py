"""Reconcile: ask Spayon about pending payments, and hand the answers to storage."""

from .reconciler import JOBS
from .reconciler import Context
from .reconciler import Reconciler
from .summary import Beat
from .summary import Heartbeat
from .summary import Step
from .summary import Summary


__all__ = ["JOBS", "Beat", "Context", "Heartbeat", "Reconciler", "Step", "Summary"]
