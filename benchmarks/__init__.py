"""Measurements with known answers. Not shipped; run from the checkout: ``python -m benchmarks.segment``."""
