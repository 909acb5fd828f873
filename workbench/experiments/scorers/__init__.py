"""The scorers of an experiment, one file each: how good an answer is, why, and what was read out of it."""
