"""How large the embedded engine is: its context window, slots and threads, as a person sets them over the settings."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.errors import InvalidRequest
from workbench.settings import Settings

PREFERENCE = "embedded"  # the key under which they are kept


class Sizes(BaseModel):
    """What the person has set; None leaves what the settings say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    context: int | None = Field(None, ge=512, le=1_048_576, description="Tokens of prompt and answer in each slot.")
    slots: int | None = Field(None, ge=1, le=16, description="Calls that are answered at once; others wait in a queue.")
    threads: int | None = Field(None, ge=0, le=512, description="Processor threads; 0 lets the engine choose.")

    @property
    def chosen(self) -> dict[str, int]:
        """What is set, as it is kept."""
        return self.model_dump(exclude_none=True)


def read(values: Mapping[str, Any]) -> Sizes:
    """The sizes that were kept or typed. Raises InvalidRequest."""
    try:
        return Sizes.model_validate(dict(values))
    except ValidationError as error:
        wrong = error.errors()[0]
        name = str(wrong["loc"][-1])
        raise InvalidRequest(f"The engine's {name} cannot be {wrong['input']}: {wrong['msg']}.") from None


def applied(sizes: Sizes, settings: Settings) -> Settings:
    """The settings with these sizes in the place of their own."""
    return settings.model_copy(update={f"embedded_{name}": value for name, value in sizes.chosen.items()})


def of(settings: Settings) -> Sizes:
    """The sizes that the settings say."""
    return Sizes(context=settings.embedded_context, slots=settings.embedded_slots, threads=settings.embedded_threads)
