"""The probe against a real model: the facts that are known of the small one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from workbench.backends.embedded import EmbeddedBackend
from workbench.probe import logprobs, schema, tools
from workbench.probe.asking import Asker
from workbench.settings import SMALL_MODEL, Settings
from workbench.slots import Slots

TASKS = 4  # one of each schema: the machine that tests may be slow


@pytest.fixture
async def asker(settings: Settings, small_model: Path) -> AsyncIterator[Asker]:
    backend = EmbeddedBackend(settings.model_copy(update={"embedded_slots": 1, "embedded_context": 2048}))
    yield Asker(backend, Slots(1), await backend.model(SMALL_MODEL), "quick")
    await backend.close()


async def test_the_small_model_keeps_to_schemas_and_writes_its_tool_calls_as_text(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "TASKS", schema.TASKS[:TASKS])
    monkeypatch.setattr(schema, "TOLD_TASKS", {"quick": 0})
    kept = await schema.check(asker)
    assert kept.held is not None and (kept.held.right, kept.held.of, kept.refused) == (TASKS, TASKS, False)
    monkeypatch.setattr(tools, "QUESTIONS", tools.QUESTIONS[:2])
    called = await tools.check(asker)
    assert (called.usual, called.native.right, called.refused) == ("text", 0, False)
    given = await logprobs.check(asker)
    assert given.given and given.sane
