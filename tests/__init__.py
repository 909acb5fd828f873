"""Mirrors the rooms: each folder here tests the one of its name."""
