"""Measure callbacks, pages, tokens and reconciling against floors written by hand.

`make bench` runs everything and renews the tables in docs/performance.md;
`python -m tests.benchmarks --quick --only callbacks` is a look in between.
"""
