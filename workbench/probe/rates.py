"""Shares with their interval."""

from agents.contract import Rate
from workbench.experiments.statistics import wilson


def rate(right: int, of: int) -> Rate:
    """So many of all that were tried, of which there is at least one, with Wilson's interval."""
    low, high = wilson(right, of)
    return Rate(right, of, round(low, 4), round(high, 4))
