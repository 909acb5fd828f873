"""Defaults that suit a model: what follows from its probe for what nobody chose."""

from collections.abc import Iterable

from pydantic import ValidationError

from agents.contract import Abilities, Machine, Suited
from workbench.backends.base import ModelInfo
from workbench.probe import abilities
from workbench.probe.report import Report
from workbench.request import RunRequest, SuitedDefault

CONSTRAIN = "settings.constrain"


def defaults(machine: Machine, known: Abilities) -> list[Suited]:
    """The machine's options that suit a model, and whether to hold its server to a schema."""
    return [*machine.suited(known), *(constraint(known) if machine.wants_schemas else [])]


def constraint(known: Abilities) -> list[Suited]:
    """Not to hold a server to a schema that refuses one, or whose answers surely fit better without."""
    if known.told is None or not known.told.right:
        return []
    if known.schema_refused:
        cause = "The server of this model refuses schemas"
    elif known.schema is not None and known.told.low > known.schema.high:
        told, held = known.told, known.schema
        cause = f"Told a schema by the prompt, this model keeps to it in {told.right} of {told.of} answers, else in"
        cause += f" {held.right} of {held.of}"
    else:
        return []
    return [Suited(CONSTRAIN, False, f"{cause}, so the prompt tells the schema.")]


def filled(machine: Machine, request: RunRequest, probe: Report | None) -> RunRequest:
    """The request with what suits its model wherever the person has chosen nothing."""
    if probe is None:
        return request
    options, settings = dict(request.options), request.settings
    found: list[Suited] = []
    grows = options.get("summarise", "never") == "never"
    for one in defaults(machine, abilities.of(probe, settings.context_window, grows)):
        if one.option == CONSTRAIN:
            if settings.constrain is None:
                settings = settings.model_copy(update={"constrain": one.value})
                found.append(one)
        elif one.option not in options and _agrees(machine, {**options, one.option: one.value}):
            options[one.option] = one.value
            found.append(one)
    return request.model_copy(update={"options": options, "settings": settings, "suited": _named(found, probe)})


def kept(request: RunRequest) -> RunRequest:
    """The request with only those of its suited defaults that still hold: a fork may have chosen otherwise."""
    chosen = {**request.options, CONSTRAIN: request.settings.constrain}
    held = tuple(one for one in request.suited if chosen.get(one.name) == one.value)
    return request if held == request.suited else request.model_copy(update={"suited": held})


def doubt_of(request: RunRequest, model: ModelInfo) -> str:
    """That the probe was of another version of the model; empty where it was not, or nothing followed from it."""
    others = [one for one in request.suited if model.digest and one.model_key != model.digest]
    if not others:
        return ""
    names = ", ".join(one.name.removeprefix("settings.").replace("_", " ") for one in others)
    return f"What was chosen for you ({names}) follows from a probe of another version of this model. Probe it again."


def _agrees(machine: Machine, options: dict[str, object]) -> bool:
    """Whether the machine takes these options: what suits must not contradict what the person chose."""
    try:
        machine.options.model_validate(options)
    except ValidationError:
        return False
    return True


def _named(found: Iterable[Suited], probe: Report) -> tuple[SuitedDefault, ...]:
    return tuple(
        SuitedDefault(name=one.option, value=one.value, because=one.because, probe=probe.id, model_key=probe.model_key)
        for one in found
    )
