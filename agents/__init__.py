"""The machines: reasoning patterns as LangGraph state machines, one file each."""
