"""Small helpers behind make's commands."""
