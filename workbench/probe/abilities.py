"""What findings mean for the machines: the abilities by which they choose their defaults."""

from agents.contract import Abilities
from workbench.probe.report import Context, Report, Schema, Speed, Thinks, Tools

FOUND_ENDS = (
    "window",
    "refused",
    "cut",
)  # a needle that is lost, or no time left, does not tell where the context ends


def of(report: Report) -> Abilities:
    """The abilities that a probe has measured; all else is unknown."""
    schema: Schema = report.finding("schema") or Schema()
    tools: Tools | None = report.finding("tools")
    thinks: Thinks | None = report.finding("thinks")
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
        thinks=thinks.how != "none" if thinks else None,
        context_tokens=context.holds if context and context.holds and context.end in FOUND_ENDS else None,
        prefill_speed=speed.prefill if speed else None,
        decode_speed=speed.decode if speed else None,
    )
