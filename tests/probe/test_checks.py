"""Every claim of a probe, held against models that have the ability and models that lack it."""

import pytest

from tests.probe.conftest import Ask
from workbench.errors import ServerFault
from workbench.probe import words
from workbench.probe.tools import is_written_call


async def test_a_model_that_writes_word_by_word_streams(check: Ask) -> None:
    found, asker = await check("streams", writes=2_000)
    assert found.streams and found.parts == 60
    assert "streams" in asker.evidence[0].says and asker.evidence[0].answer.startswith("1 2 3")


async def test_a_server_that_keeps_the_text_back_does_not_stream_though_it_comes_in_pieces(check: Ask) -> None:
    found, asker = await check("streams", streams=False, writes=500)
    assert not found.streams and found.parts > 1
    assert "at once" in asker.evidence[0].says


@pytest.mark.parametrize(
    ("behaviour", "how", "unasked", "calls"),
    [("unasked", "channel", True, 1), ("asked", "channel", False, 2), ("tags", "tags", True, 1)],
)
async def test_a_model_that_thinks(check: Ask, behaviour: str, how: str, unasked: bool, calls: int) -> None:
    found, asker = await check("thinks", thinking=behaviour)
    assert (found.how, found.unasked, len(asker.evidence)) == (how, unasked, calls)
    assert asker.thinks_unasked == unasked


async def test_a_model_that_does_not_think_and_whose_server_refuses_to_ask_it(check: Ask) -> None:
    found, asker = await check("thinks", thinking="none")
    assert (found.how, found.refused) == ("none", True)
    assert asker.evidence[1].error and "does not support thinking" in asker.evidence[1].error.message


@pytest.mark.parametrize(
    ("behaviour", "given", "sane", "word"),
    [
        ("sane", True, True, "all sane"),
        ("none", False, False, "No log-probabilities"),
        ("positive", True, False, "above 0"),
        ("few", True, False, "1 came for"),
    ],
)
async def test_log_probabilities(check: Ask, behaviour: str, given: bool, sane: bool, word: str) -> None:
    found, asker = await check("logprobs", logprobs=behaviour)
    assert (found.given, found.sane) == (given, sane)
    assert word in asker.evidence[0].says


@pytest.mark.parametrize(("behaviour", "keeps"), [("kept", True), ("ignored", False), ("deaf", None)])
async def test_a_seed(check: Ask, behaviour: str, keeps: bool | None) -> None:
    found, asker = await check("seed", seed=behaviour)
    assert found.keeps is keeps
    assert {evidence.wanted["temperature"] for evidence in asker.evidence} == {0.8}


@pytest.mark.parametrize(
    ("behaviour", "right", "wrong", "text", "none", "usual"),
    [
        ("native", 6, 0, 0, 0, "native"),
        ("wrong", 0, 6, 0, 0, "native"),
        ("json", 0, 0, 6, 0, "text"),
        ("fenced", 0, 0, 6, 0, "text"),
        ("tags", 0, 0, 6, 0, "text"),
        ("none", 0, 0, 0, 6, "none"),
        ("prose", 0, 0, 0, 6, "none"),
    ],
)
async def test_tool_calls(check: Ask, behaviour: str, right: int, wrong: int, text: int, none: int, usual: str) -> None:
    found, _ = await check("tools", tools=behaviour)
    assert (found.native.right, found.wrong, found.text, found.none) == (right, wrong, text, none)
    assert (found.usual, found.refused) == (usual, False)


async def test_a_server_that_refuses_tools_is_asked_once(check: Ask) -> None:
    found, asker = await check("tools", tools="refused")
    assert found.refused and found.usual == "none" and len(asker.evidence) == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "weather", "arguments": {"city": "Oslo"}}',
        "```json\n{'function': 'convert'}\n```",
        "<tool_call>{}</tool_call>",
        'weather(city="Oslo", day="today")',
        'Use {"city": "Oslo", "day": "today"}',
    ],
)
def test_a_call_that_is_written_is_known_in_every_form(text: str) -> None:
    assert is_written_call(text)


@pytest.mark.parametrize(
    "text",
    [
        "The weather in Oslo will be nice.",
        "You can convert it at a bank.",
        "{}",
        "",
        "I cannot look up the weather (I have no internet access).",
        "1. Convert (multiply) 250 by 163 = 40,750 JPY.",
        "weather(I cannot tell)",
    ],
)
def test_an_answer_that_speaks_of_the_weather_is_no_call(text: str) -> None:
    assert not is_written_call(text)


async def test_a_schema_that_the_server_holds_the_model_to(check: Ask) -> None:
    found, asker = await check("schema", format="honoured")
    assert (found.held.right, found.held.of, found.told.right, found.told.of) == (20, 20, 8, 8)
    assert round(found.held.low, 2) == 0.84 and found.held.high == 1.0
    assert asker.evidence[0].wanted["json_schema"] == "Person" and asker.evidence[0].says == "Valid."
    assert "json_schema" not in asker.evidence[20].wanted and "JSON schema" in asker.evidence[20].asked


async def test_a_server_that_ignores_the_schema_while_the_model_keeps_to_a_told_one(check: Ask) -> None:
    found, asker = await check("schema", "full", format="ignored", fenced=True)
    assert (found.held.right, found.held_retried.right, found.told.right, found.told.of) == (0, 0, 20, 20)
    assert "Not valid" in asker.evidence[0].says and not found.refused


async def test_a_server_that_refuses_schemas(check: Ask) -> None:
    found, _ = await check("schema", format="refused")
    assert found.refused and found.held is None and found.told.right == 8


async def test_one_task_that_the_server_refuses_counts_as_not_valid_and_the_others_as_they_are(check: Ask) -> None:
    found, asker = await check("schema", turns_down="Rua Nova")
    assert (found.refused, found.turned_down, found.held.right, found.held.of) == (False, 1, 19, 20)
    assert "refused 1 of them" in words.claim(found)
    assert "not valid" in next(evidence.says for evidence in asker.evidence if evidence.error)


async def test_answers_that_a_retry_mends_count_apart(check: Ask) -> None:
    found, _ = await check("schema", mends=True)
    assert (found.told.right, found.told_retried.right, found.told.of) == (0, 8, 8)


async def test_a_model_that_keeps_to_no_schema(check: Ask) -> None:
    found, _ = await check("schema", format="ignored", follows_told_schema=False)
    assert (found.held.right, found.told.right, found.told_retried.right) == (0, 0, 0)


async def test_a_context_that_is_cut_silently(check: Ask) -> None:
    found, asker = await check("context", "full", window=1_024, at_window="cut")
    assert (found.end, found.ended_at) == ("cut", 1_024)
    assert 850 <= found.holds <= 1_024
    assert any("it was cut" in evidence.says for evidence in asker.evidence)


async def test_an_honest_window_is_found_to_its_end(check: Ask) -> None:
    found, _ = await check("context", "full", window=3_000)
    assert (found.end, found.ended_at, found.window) == ("refused", 3_000, 32_768)
    assert 2_700 <= found.holds < 3_000


async def test_the_window_that_is_asked_for_is_the_longest_that_is_tried(check: Ask, backend, ollama) -> None:
    found, _ = await check("context", window=1_500)
    assert found.end == "refused" and 1_200 <= found.holds < 1_500
    assert max(length.tokens for length in found.lengths) < 1_500


async def test_a_needle_that_is_not_found_is_looked_for_once_more_and_in_a_longer_text(check: Ask) -> None:
    found, asker = await check("context", finds=("blue",))
    assert (found.end, found.holds) == ("lost", 0)
    assert len(asker.evidence) == 6 and not found.lengths[0].beginning and found.lengths[0].middle


async def test_a_number_that_is_written_with_a_comma_is_found(check: Ask) -> None:
    found, asker = await check("context", window=1_500, commas=True)
    assert "," in asker.evidence[0].answer and found.end == "refused" and found.holds > 1_200


async def test_a_quick_search_does_not_say_that_the_context_ends_where_it_stops_looking(check: Ask) -> None:
    found, _ = await check("context", window=32_768)
    assert found.end == "not reached" and 1_800 <= found.holds <= 2_048


async def test_speeds_are_the_servers_own_where_it_tells_them(check: Ask) -> None:
    found, _ = await check("speed", reads=50_000, writes=2_000, loads=0.2)
    assert found.told and found.prefill == pytest.approx(50_000, rel=0.01)
    assert found.decode == pytest.approx(2_000, rel=0.01)
    assert found.cold > 0.2 > found.warm and not found.why_not_cold


async def test_speeds_are_from_the_streams_clock_where_it_tells_none(check: Ask) -> None:
    found, _ = await check("speed", reads=2_000, writes=500, tells_times=False)
    assert not found.told
    assert 1_000 < found.prefill < 2_100 and 300 < found.decode < 600


async def test_a_model_is_not_unloaded_under_other_runs(check: Ask, ollama, backend) -> None:
    from workbench.probe import speed
    from workbench.probe.asking import Asker
    from workbench.slots import Slots

    ollama.add("model:latest", loads=0.05)
    asker = Asker(backend, Slots(1), await backend.model("model:latest"), "quick", is_busy=lambda: True)
    found = await speed.check(asker)
    assert found.cold is None and found.why_not_cold == speed.BUSY and not found.alone


async def test_a_server_that_fails_is_no_model_that_cannot(check: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.probe.asking.wait_before_retry", lambda error, attempt: None)
    with pytest.raises(ServerFault):
        await check("tools", faults="umbrella")


async def test_a_slow_model_is_asked_for_the_shortest_text_alone(ollama, backend) -> None:
    from workbench.probe import needle
    from workbench.probe.asking import Asker
    from workbench.probe.report import Speed
    from workbench.slots import Slots

    ollama.add("model:latest")
    asker = Asker(backend, Slots(1), await backend.model("model:latest"), "quick")
    asker.speed = Speed(prefill=5.0, decode=1.0, told=True, cold=None, warm=1.0)
    found = await needle.check(asker)
    assert found.end == "not reached" and len(found.lengths) == 1 and 250 < found.holds < 512


async def test_tasks_that_there_is_no_time_for_do_not_count(check: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.probe.schema.HELD_SECONDS", {"quick": 0.001})
    found, _ = await check("schema", writes=500)
    assert found.held.of == 1 and found.told.of == 8
