"""Payments through the Spayon gateway for Flask."""
