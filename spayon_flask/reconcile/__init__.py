"""Reconcile: ask Spayon about pending payments, and hand the answers to storage."""

from .reconciler import JOBS, Beat, Heartbeat, Reconciler, Step, Summary

__all__ = ["JOBS", "Beat", "Heartbeat", "Reconciler", "Step", "Summary"]
