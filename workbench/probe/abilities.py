"""What findings mean for the machines: the abilities by which they choose their defaults."""

from agents.contract import Abilities
from workbench.backends.servers import kind_of
from workbench.probe.report import Context, Report, Schema, Speed, Tools

FOUND_ENDS = (
    "window",
    "refused",
    "cut",
)  # a needle that is lost, or no time left, does not tell where the context ends

FIXED = ("openai",)  # kinds of servers that are not told a window: what they refused once, they refuse in any run


def of(report: Report, window: int | None = None, grows: bool = True) -> Abilities:
    """The abilities that a probe has measured; all else is unknown.

    They are those of a run that asks for this context window (None: its backend's own). The window limits nothing in
    one whose prompt does not grow for long, since it is summarised.
    """
    schema: Schema = report.finding("schema") or Schema()
    tools: Tools | None = report.finding("tools")
    context: Context | None = report.finding("context")
    speed: Speed | None = report.finding("speed")
    return Abilities(
        schema=schema.held,
        schema_retried=schema.held_retried,
        schema_refused=schema.refused,
        told=schema.told,
        told_retried=schema.told_retried,
        tools=tools.usual if tools else None,
        native_calls=tools.native if tools else None,
        context_tokens=_usable(report.backend, context, window) if context and grows else None,
        window=window if context and grows and window != context.asked else None,
        decode_speed=speed.decode if speed else None,
    )


def _usable(backend: str, context: Context, window: int | None) -> int | None:
    """Where the context ends in a run with this window, as far as a probe with the same or another one tells it."""
    if not context.holds or context.end not in FOUND_ENDS:
        return None
    is_servers_own = context.end != "window" and kind_of(backend) in FIXED
    return context.holds if context.asked == window or is_servers_own else None
