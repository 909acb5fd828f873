"""Experiments: many runs over a data set, scored, with honest statistics."""
