"""What a model's measured abilities mean for a machine's options: the judgements that several machines share."""

from dataclasses import dataclass

from agents.contract import Abilities, Rate, Suited

LONGEST_SECONDS = 600  # that all steps of a run should take at most, on a model that writes slowly
ANSWER_TOKENS = 300  # that the last step should still have room for
RELIABLE = 0.8  # share from which a way of answering can be built on


@dataclass(frozen=True)
class Growth:
    """How a machine's prompt grows, roughly in tokens: `prompt` before the first step, `step` with every step."""

    title: str
    usual: int
    least: int
    prompt: int
    step: int


def is_reliable(rate: Rate | None) -> bool:
    """Whether it was right nearly always."""
    return rate is not None and rate.share >= RELIABLE


def fewer_steps(known: Abilities, growth: Growth) -> list[Suited]:
    """A lower limit of steps, where the usual number outgrows the model's context or its patience with us."""
    limits = [(growth.usual, "")]
    if known.context_tokens is not None:
        room = (known.context_tokens - growth.prompt - ANSWER_TOKENS) // growth.step
        limits.append((room, f"The context of this model really ends at about {known.context_tokens:,} tokens"))
    if known.window is not None:
        room = (known.window - growth.prompt - ANSWER_TOKENS) // growth.step
        limits.append((room, f"The context window that is asked for has {known.window:,} tokens"))
    if known.decode_speed:
        steps = int(LONGEST_SECONDS * known.decode_speed / growth.step)
        limits.append((steps, f"This model writes only {known.decode_speed:.2g} tokens a second"))
    steps, cause = min(limits, key=lambda limit: limit[0])
    steps = max(steps, growth.least)
    if steps >= growth.usual:
        return []
    return [Suited("max_steps", steps, f"{cause}, so {growth.title} ends after {steps} steps.")]


def suited_dialect(known: Abilities) -> list[Suited]:
    """Native for a model that calls tools by itself, nearly always; else JSON where it keeps to a schema; else text."""
    native, schemas = known.native_calls, (known.schema_retried, known.told_retried)
    if known.tools == "native" and is_reliable(native):
        return [Suited("dialect", "native", "This model calls tools by itself, so ReAct lets it.")]
    best = max((rate for rate in schemas if rate is not None), key=lambda rate: rate.share, default=None)
    if best is not None and not is_reliable(best):
        fits = f"Only {best.right} of {best.of} answers fit" if best.right else f"None of {best.of} answers fits"
        return [Suited("dialect", "text", f"{fits} a schema, so ReAct asks for text.")]
    if known.tools is None:
        return []
    cause = {
        "native": f"calls tools by itself only {native.right} times of {native.of}" if native else "",
        "text": "writes its tool calls as text",
        "none": "does not call tools by itself",
    }[known.tools]
    return [Suited("dialect", "json", f"This model {cause}, so ReAct asks for JSON.")]
