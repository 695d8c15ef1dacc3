"""Reconcile: ask Spayon about pending payments, and hand the answers to storage."""

from .reconciler import JOBS, Answer, Beat, Heartbeat, Reconciler, Step, Summary

__all__ = ["JOBS", "Answer", "Beat", "Heartbeat", "Reconciler", "Step", "Summary"]
