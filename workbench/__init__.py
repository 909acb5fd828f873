"""Everything around the machines: engine, log, backends, tools, store, interface."""

__version__ = "0.1.0"
