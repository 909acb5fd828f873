"""Presets by name, and what was used last."""

import pytest

from workbench.errors import InvalidRequest
from workbench.store.presets import PresetStore
from workbench.store.runs import RunStore

ESSAY = {"machine": "reflection", "options": {"rounds": 2}}
SUMS = {"machine": "react", "model": "ä\U0001f600"}


@pytest.fixture
def presets(store: RunStore) -> PresetStore:
    """No presets yet."""
    return PresetStore(store.database)


def test_presets_are_listed_by_name_and_found_however_they_are_capitalised(presets: PresetStore):
    presets.save("sums", SUMS)
    presets.save("Essay", ESSAY)
    assert [one.name for one in presets.all()] == ["Essay", "sums"]
    assert presets.find(" SUMS ").content == SUMS
    with pytest.raises(InvalidRequest, match="no preset named 'poem'") as caught:
        presets.find("poem")
    assert caught.value.hint == "There are: Essay, sums."


def test_a_name_is_used_once(presets: PresetStore):
    presets.save("Essay", ESSAY)
    presets.save("Sums", SUMS)
    with pytest.raises(InvalidRequest, match="already"):
        presets.save("ESSAY", SUMS)
    with pytest.raises(InvalidRequest, match="already"):
        presets.rename("Sums", "essay")
    presets.rename("Essay", "ESSAY")
    assert presets.find("essay").content == ESSAY


def test_a_preset_is_updated_renamed_and_deleted(presets: PresetStore):
    presets.save("a", ESSAY)
    presets.update("A", SUMS)
    presets.rename("a", "b")
    assert [(one.name, one.content) for one in presets.all()] == [("b", SUMS)]
    presets.remove("b")
    assert presets.all() == []
    for action in (presets.remove, lambda name: presets.update(name, SUMS), lambda name: presets.rename(name, "c")):
        with pytest.raises(InvalidRequest, match="no preset"):
            action("b")


def test_what_was_used_last_is_the_preset_as_it_is_now_or_the_form(presets: PresetStore, store: RunStore):
    assert presets.last() is None
    presets.used("", SUMS)
    assert presets.last() == ("", SUMS)
    presets.save("essay", ESSAY)
    before = presets.find("essay").used_at
    presets.used("essay", ESSAY)
    presets.update("essay", SUMS)
    assert PresetStore(store.database).last() == ("essay", SUMS)
    assert presets.find("essay").used_at >= before
    presets.remove("essay")
    assert presets.last() == ("", ESSAY)  # the form itself is still there
