"""The places where models run, one file each."""
