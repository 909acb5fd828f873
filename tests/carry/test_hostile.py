"""Files that were made to do harm, or broke on the way: each is refused in a sentence, and nothing of it is kept."""

import io
import json
import random
import stat
import struct
import subprocess
import sys
import time
import zipfile
from typing import Any

import pytest

from tests.carry.bundles import bundle, manifest_of, records_of, repacked
from tests.logs import Log, three_steps
from tests.runs import finish, scripted_engine
from workbench.carry import archive, arriving
from workbench.errors import BundleError, InvalidRequest
from workbench.events import Card, Loading, ModelAnswered, Resumed, RunView
from workbench.moments import local
from workbench.prompts import Prompt, load
from workbench.settings import CHECKOUT, Settings
from workbench.store.runs import RunStore
from workbench.ui import cards, diagram, export, metrics

NOON = "2026-11-23T12:00:00.000+00:00"
CONSTRUCTOR = {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "AIMessage"], "kwargs": {}}
EVIL = "<img src=x onerror=alert(1)>\"'</style><script>"


def log(**more: Any) -> Log:
    return three_steps(created_at=NOON, **more)


def members(**changes: Any) -> dict[str, list[Any]]:
    """A sound bundle's members with some of the first run's events changed: `seq=value of its fields`."""
    found = records_of(log().events)
    for name, fields in changes.items():
        found[archive.EVENTS][int(name.removeprefix("event"))] |= fields
    return found


def sound() -> io.BytesIO:
    return bundle(members())


def refused(file: io.BytesIO, there: RunStore, words: str) -> None:
    """Both looking and taking in say why, what to do, and keep nothing."""
    for attempt in (arriving.inspect, lambda file: arriving.import_bundle(there, file)):
        with pytest.raises(BundleError, match=words) as caught:
            attempt(file)
        assert caught.value.hint and isinstance(caught.value, InvalidRequest)
    assert there.count() == 0


def raw(source: io.BytesIO) -> bytearray:
    return bytearray(source.getvalue())


# The zip file.


def test_what_a_sound_bundle_is_made_of_is_taken(there: RunStore):
    assert len(arriving.import_bundle(there, sound()).run_ids) == 1


@pytest.mark.parametrize("data", [b"", b"PK", b"%PDF-1.7", b"\x00" * 5_000, b"PK\x05\x06" + b"\x00" * 18])
def test_what_is_no_bundle_is_refused(data: bytes, there: RunStore):
    refused(io.BytesIO(data), there, "no bundle|no manifest")


def test_a_file_that_was_cut_is_refused_wherever_it_was(there: RunStore):
    whole = sound().getvalue()
    for length in range(0, len(whole), 97):
        refused(io.BytesIO(whole[:length]), there, "bundle|zip")


def test_damaged_bytes_are_refused_or_hold_the_same_still(there: RunStore):
    whole, chance, survived = sound().getvalue(), random.Random(7), 0
    told = arriving.inspect(sound())
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 4))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = arriving.inspect(io.BytesIO(data))
        except BundleError:
            continue
        survived += 1
        assert found.runs == told.runs
    assert survived < 200


def test_an_archive_in_the_archive_is_not_opened(there: RunStore):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros", bytes(10**7))
    refused(repacked(sound(), {"inner.zip": inner.getvalue()}), there, "not the files of a bundle: see 'inner.zip'")


@pytest.mark.parametrize("name", ["../../evil.py", "/etc/cron.d/evil", "C:\\evil", "runs.jsonl/../../evil", "a" * 300])
def test_names_that_lead_out_of_the_bundle_are_refused(name: str, there: RunStore, tmp_path):
    refused(repacked(sound(), {name: b"evil"}), there, "not the files of a bundle")
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO])
def test_links_and_folders_are_refused(kind: int, there: RunStore):
    file = sound()
    with zipfile.ZipFile(file, "a") as opened:
        entry = zipfile.ZipInfo("link")
        entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
        opened.writestr(entry, "/etc/passwd")
    refused(file, there, "'link' in the bundle is no plain file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(there: RunStore):
    file = sound()
    with zipfile.ZipFile(file, "a") as opened:
        opened.writestr("events.jsonl", "{}")
    refused(file, there, "twice")


def test_an_encrypted_file_is_refused(there: RunStore):
    data = raw(sound())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    refused(io.BytesIO(data), there, "encrypted")


def test_files_that_lie_over_one_another_are_refused(there: RunStore):
    data = raw(sound())
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 1)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    refused(io.BytesIO(data), there, "over one another")


def test_other_ways_of_packing_are_refused(there: RunStore):
    with zipfile.ZipFile(sound()) as old, zipfile.ZipFile(target := io.BytesIO(), "w", zipfile.ZIP_BZIP2) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    refused(target, there, "packed in a way")


def test_a_bomb_that_declares_its_size_is_refused_before_it_is_unpacked(there: RunStore, monkeypatch):
    file = repacked(sound(), {"events.jsonl": b"0" * 2**20})
    monkeypatch.setattr(archive, "MOST_BYTES", 2**19)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *rest: pytest.fail("it was unpacked"))
    refused(file, there, "Unpacked it would have more")


def test_a_bomb_that_lies_about_its_size_is_refused(there: RunStore):
    data = raw(repacked(sound(), {"events.jsonl": b"0" * 2**20}))
    at = data.index(b"events.jsonl", data.index(b"PK\x01\x02")) - 46
    struct.pack_into("<L", data, at + 24, 100)
    refused(io.BytesIO(data), there, "damaged|checksum|more in it")


def test_a_line_without_an_end_is_refused_before_it_is_all_read(there: RunStore, monkeypatch):
    file = bundle(members() | {"events.jsonl": ['"' + "x" * 2**20]})
    monkeypatch.setattr(archive, "LONGEST_LINE", 2**16)
    refused(file, there, "more in it")
    file = bundle(members())
    monkeypatch.setattr(archive, "LONGEST_LINE", 50)
    refused(file, there, "a line|A line")


@pytest.mark.parametrize("piece", ["[]", "{}", "1", '"a"'])
def test_a_line_that_would_become_too_many_values_is_refused_before_it_is_parsed(
    piece: str, there: RunStore, monkeypatch
):
    monkeypatch.setattr(archive, "MOST_VALUES", 10**9)
    listed = {"id": "r", "request": {"options": {"a": "HERE"}}}
    line = json.dumps(listed).replace('"HERE"', f"[{','.join([piece] * 200_000)}]")
    file = bundle({"runs.jsonl": [line], "events.jsonl": [], "prompts.jsonl": []})
    monkeypatch.undo()
    monkeypatch.setattr(archive, "parse", unparsed := unless_manifest(archive.parse))
    refused(file, there, "more than 200,000 values")
    assert unparsed.names == {"manifest.json"}


def unless_manifest(parse: Any) -> Any:
    """The parser, which remembers what it was given."""

    def remembering(line: bytes | str, where: str) -> Any:
        remembering.names.add(where)  # type: ignore[attr-defined]
        return parse(line, where)

    remembering.names = set()  # type: ignore[attr-defined]
    return remembering


def test_commas_and_brackets_in_a_text_are_no_values(there: RunStore, monkeypatch):
    monkeypatch.setattr(archive, "MOST_VALUES", 300)
    found = log(second='[{,"\\' * 1_000).events
    assert len(arriving.import_bundle(there, bundle(records_of(found))).run_ids) == 1


def test_what_is_held_in_memory_is_bounded_before_it_is_read(there: RunStore, monkeypatch):
    file = bundle(members() | {"prompts.jsonl": ["{}"] * 100})
    monkeypatch.setattr(archive, "MOST_HELD", 200)
    refused(file, there, "prompts, items and cells have more than")
    with pytest.raises(BundleError, match="It has more than"):
        bundle(members() | {"prompts.jsonl": ["{}"] * 100})


def test_prompts_that_many_runs_share_do_not_fill_the_disk(there: RunStore, monkeypatch):
    prompt = Prompt(template="Think hard. " * 1_000)
    role = next(iter(load("stepwise").roles))
    text = {"digest": prompt.digest, "machine": "stepwise", "role": role, "template": prompt.template}
    logs = [three_steps(f"run{n}", created_at=NOON, prompts={role: prompt.digest}).events for n in range(6)]
    file = bundle(records_of(*logs) | {"prompts.jsonl": [text]})
    assert file.seek(0, 2) < 20_000 and sum(one["bytes"] for one in manifest_of(file)["members"].values()) < 70_000
    monkeypatch.setattr(archive, "MOST_BYTES", 80_000)
    refused(file, there, "become too large here")


def test_a_table_of_contents_with_a_million_names_is_not_read(there: RunStore):
    entry = b"PK\x01\x02" + bytes(24) + b"\x01\x00" + bytes(16) + b"a"
    directory = entry * 20_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 20_000, 20_000, len(directory), 0, 0)
    refused(io.BytesIO(directory + end), there, "was not made by Second Thought")


# The manifest.


def forged(**changes: Any) -> io.BytesIO:
    """A bundle whose manifest says something else, with its own checksum right again."""
    data = manifest_of(sound()) | changes
    if isinstance(data["format"], int):
        data["checksum"] = archive.Manifest.model_validate(data).own_checksum
    return repacked(sound(), {"manifest.json": json.dumps(data).encode()})


def test_a_wrong_checksum_is_refused(there: RunStore):
    data = manifest_of(sound()) | {"program": "0.2.0"}
    refused(repacked(sound(), {"manifest.json": json.dumps(data).encode()}), there, "manifest is wrong")
    other = records_of(log(second="Something else entirely.").events)["events.jsonl"]
    lines = "".join(json.dumps(event) + "\n" for event in other).encode()
    refused(repacked(sound(), {"events.jsonl": lines}), there, r"checksum of events\.jsonl|more in it")


def test_a_newer_format_is_refused_with_what_to_do(there: RunStore):
    with pytest.raises(BundleError, match="newer version") as caught:
        arriving.import_bundle(there, forged(format=2, kind="dream"))
    assert "Update" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "dream"}, "'dream', which this version does not know"),
        ({"kind": "experiment"}, "not the files of a bundle"),
        ({"format": 0}, "manifest is wrong"),
        ({"format": "1e9"}, "format"),
        ({"members": {}}, "not the files of a bundle"),
    ],
)
def test_a_manifest_that_says_something_odd_is_refused(changes: dict[str, Any], words: str, there: RunStore):
    refused(forged(**changes), there, words)


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 50_000, b"{}"])
def test_a_manifest_that_is_none_is_refused(text: bytes, there: RunStore):
    refused(repacked(sound(), {"manifest.json": text}), there, "manifest")


# What is in it.


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "nested too deeply"),
        ("[" * 10_000 + "]" * 10_000, "nested too deeply"),
        ('{"a":' * 150 + "1" + "}" * 150, "nested too deeply"),
        ('{"kind": "delta", "at": NaN}', "NaN is no number"),
        ('{"kind": "delta", "at": -Infinity}', "Infinity is no number"),
        ('{"kind": "dreamt", "at": 1e999}', "too large a number"),
        ('{"kind": "dreamt", "at": ' + "9" * 5_000 + "}", "cannot be read"),
        ('"' + "x" * 100, "cannot be read"),
        ("", "cannot be read"),
        ("[1, 2]", "cannot be used"),
        ("null", "cannot be used"),
        ('{"kind": "delta"}', "cannot be used"),
        ('{"kind": "__class__", "run_id": "aaaa1111", "seq": 1, "at": 1}', "a kind that is no name"),
        ('{"kind": ["delta"], "run_id": "aaaa1111", "seq": 1, "at": 1}', "cannot be used"),
    ],
)
def test_lines_that_are_no_events_are_refused(line: str, words: str, there: RunStore):
    found = members()
    found[archive.EVENTS][1] = line
    refused(bundle(found), there, words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"event3": {"seq": 4}}, "goes from event 2 to 4"),
        ({"event3": {"seq": 2}}, "goes from event 2 to 2"),
        ({"event3": {"seq": -1}}, "goes from event 2 to -1"),
        ({"event3": {"seq": 10**30}}, "goes from event 2"),
        ({"event3": {"run_id": "bbbb2222"}}, "an event of another run"),
        ({"event0": {"run_id": "bbbb2222"}}, "an event of another run"),
        ({"event0": {"kind": "warning", "code": "c", "message": "m"}}, "does not begin with its beginning"),
        ({"event3": {"at": -5.0}}, "a wrong time at event 3"),
        ({"event3": {"at": "NaN"}}, "a wrong time at event 3"),
        ({"event3": {"at": 1e300}}, "a wrong time at event 3"),
        ({"event0": {"created_at": "2026"}}, "a date that is none"),
        ({"event0": {"created_at": "2026-11-23T12:00:00"}}, "a date that is none"),
        ({"event0": {"created_at": "0001-01-01T00:00:00+23:59"}}, "a date that is none"),
        ({"event0": {"request": {"machine": "stepwise"}}}, "something else than the bundle's list says"),
        ({"event0": {"inherited": 10**9}}, "shorter than what it inherits"),
        ({"event0": {"inherited": -3}}, "no number as inherited of event 0"),
        ({"event0": {"graph": {"nodes": [{"name": "n", "role": 'x" onload="evil'}]}}}, "role that there is not"),
        ({"event0": {"graph": {"nodes": [{"name": str(n)} for n in range(500)]}}}, "too large to be drawn"),
        ({"event4": {"call_id": "never-asked"}}, "what was not asked"),
        ({"event4": {"mean_logprob": 1e6}}, "a probability above 1"),
        ({"event4": {"tokens": [["a", 0.5, []]]}}, "a probability above 1"),
        ({"event4": {"tokens": [["a", "NaN", []]]}}, "a probability above 1"),
        ({"event4": {"tokens": [["a", -0.5, [["b", 3.0]]]]}}, "a probability above 1"),
        ({"event4": {"tokens": [["a", -0.5, [["b", -1.0]] * 21]]}}, "more tokens at event 4 than an answer can have"),
        ({"event4": {"tokens": [["a" * 10_001, -0.5, []]]}}, "a token at event 4 that is longer than any"),
        ({"event4": {"completion_tokens": 2**31}}, "no number as completion_tokens of event 4"),
        ({"event4": {"completion_tokens": -1}}, "no number as completion_tokens of event 4"),
        ({"event4": {"lowest_tokens": [{"token": "a", "logprob": -1.0, "position": 10**400}]}}, "number as position"),
        ({"event2": {"step": 10**400}}, "no number as step of event 2"),
        ({"event1": {"attempt": -1}}, "no number as attempt of event 1"),
        ({"event6": {"seconds": "Infinity"}}, "no number as seconds"),
    ],
)
def test_a_log_that_cannot_have_happened_is_refused(changes: dict[str, Any], words: str, there: RunStore):
    found = members(**changes)
    found[archive.EVENTS][-1]["totals"] = {}
    if "event4" in changes:
        del found[archive.EVENTS][-1]
    refused(bundle(found), there, words)


@pytest.mark.parametrize("data", [{"votes": {"four": 10**400}}, {"sample": -1}, {"round": 2**31}])
def test_a_card_whose_counts_are_none_is_refused(data: dict[str, Any], there: RunStore):
    card = log().add(Card, node="think", step=9, title="T", content="C", data=data)
    refused(bundle(records_of(card.events)), there, f"no number as {next(iter(data))}")


def test_a_download_may_have_more_bytes_than_a_count(there: RunStore):
    for total, words in ((8 * 2**30, ""), (10**400, "no number as total")):
        found = log().add(Loading, call_id="c", stage="fetch", done=1, total=total)
        if words:
            refused(bundle(records_of(found.events)), there, words)
        else:
            assert arriving.inspect(bundle(records_of(found.events))).runs


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Adak"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+00:00", "yesterday"])
def test_a_manifest_from_no_time_is_refused_or_shown(moment: str, zone: str, there: RunStore, monkeypatch):
    data = manifest_of(sound()) | {"created_at": moment}
    file = forged(**data)
    if moment.endswith("+00:00"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert local(arriving.inspect(file).created_at).lstrip("0").startswith("1-01-01")
        monkeypatch.undo()
        time.tzset()
    else:
        refused(file, there, "a date that is none")


def test_what_would_break_going_on_is_refused(there: RunStore):
    went_on = log().add(Resumed, limits={"steps": "many"}).finish()
    refused(bundle(records_of(went_on.events)), there, "limits|steps")


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [{"id": "../../etc", "request": {}}],
        [{"id": "", "request": {}}],
        [{"id": "x" * 65, "request": {}}],
        [{"id": "aaaa1111"}],
        ["[]"],
    ],
)
def test_a_list_of_runs_that_is_none_is_refused(runs: list[Any], there: RunStore):
    refused(bundle(members() | {"runs.jsonl": runs}), there, "bundle")


def test_runs_and_logs_that_do_not_belong_together_are_refused(there: RunStore):
    one, other = log(), three_steps("bbbb2222", created_at=NOON)
    both = records_of(one.events, other.events)
    refused(bundle(both | {"runs.jsonl": both["runs.jsonl"][:1]}), there, "a run that it does not list")
    refused(bundle(both | {"events.jsonl": both["events.jsonl"][: len(one.events)]}), there, "is empty")
    refused(bundle(both | {"runs.jsonl": both["runs.jsonl"][::-1]}), there, "another order")
    refused(bundle(both | {"runs.jsonl": both["runs.jsonl"][:1] * 2}), there, "twice")


def test_a_request_of_a_newer_version_is_refused_with_what_to_do(there: RunStore):
    found = members()
    request = found["runs.jsonl"][0]["request"] | {"dreams": True}
    found["runs.jsonl"][0] |= {"request": request, "version": "9.0.0"}
    found["events.jsonl"][0] |= {"request": request}
    with pytest.raises(BundleError, match="dreams") as caught:
        arriving.import_bundle(there, bundle(found, program="9.0.0"))
    assert "Update" in caught.value.hint


def test_a_prompt_under_another_ones_digest_is_refused(there: RunStore):
    lie = {"digest": "0" * 12, "machine": "stepwise", "role": "thinker", "template": "Obey."}
    refused(bundle(members() | {"prompts.jsonl": [lie]}), there, "not the one that its digest names")


def test_a_failure_on_the_way_in_leaves_nothing_behind(there: RunStore, monkeypatch):
    logs = [log().events, three_steps("bbbb2222", created_at=NOON).events]

    def fail(self: Any) -> Any:
        if self.foreign_id == "bbbb2222":
            raise BundleError("The second one fails.")
        return events(self)

    events = arriving.Arrival.events
    monkeypatch.setattr(arriving.Arrival, "events", fail)
    with pytest.raises(BundleError):
        arriving.import_bundle(there, bundle(records_of(*logs)))
    assert there.count() == 0
    with there.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar() == 0


def test_constructor_dicts_stay_plain_data(there: RunStore, monkeypatch):
    reviver = sys.modules["langchain_core.load.load"].Reviver
    monkeypatch.setattr(reviver, "__call__", lambda *rest: pytest.fail("something was constructed"))
    found = log(edited={"thoughts": CONSTRUCTOR}, request={"options": {"min_steps": 3}})
    found.add(Card, node="think", step=9, title="T", content="C", data={"x": CONSTRUCTOR})
    found.events[-2], found.events[-1] = found.events[-1], found.events[-2]
    ordered = [event.model_copy(update={"seq": n, "at": n * 0.5}) for n, event in enumerate(found.events)]
    (run_id,) = arriving.import_bundle(there, bundle(records_of(ordered))).run_ids
    kept = there.events(run_id)
    assert kept[0].edited == {"thoughts": CONSTRUCTOR}
    assert [event.data for event in kept if isinstance(event, Card)] == [{"x": CONSTRUCTOR}]
    assert there.database.file
    with scripted_engine(Settings(home=there.database.file.parent), ["x"]) as engine:
        again = finish(engine, engine.reproduce(run_id))[1].finished
    assert again and again.error and "thoughts" in again.error.message


def test_halves_of_surrogate_pairs_and_nul_are_kept_out_of_the_database(there: RunStore):
    found = records_of(log(machine_title="A\x00B").events)
    lines = [json.dumps(event) for event in found["events.jsonl"]]
    lines[4] = lines[4].replace('"Look."', '"\\ud800 Look \\u0000 \\ud83d\\ude00 \\udc00"')
    (run_id,) = arriving.import_bundle(there, bundle(found | {"events.jsonl": lines})).run_ids
    answer = next(event for event in there.events(run_id) if isinstance(event, ModelAnswered))
    assert answer.text == "\ufffd Look \x00 \U0001f600 \ufffd"
    assert there.run(run_id).machine_title == "A\ufffdB"


def test_nothing_of_a_foreign_log_becomes_markup(there: RunStore):
    found = json.loads(json.dumps(records_of(log().wait("think").use("x", "y").finish().events)))

    def poisoned(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: poisoned(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [poisoned(item) for item in value]
        kept = {"kind", "run_id", "created_at", "status", "feedback", "relation", "verb", "channel", "call_id"}
        kept |= {"tool_id", "backend", "model", "resumed_at"}
        kept |= {"source", "target", "name", "node", "role"}
        return EVIL if isinstance(value, str) and name not in kept else value

    events = [poisoned(event) for event in found["events.jsonl"]]
    for event in events:
        event |= {name: EVIL for name in ("node", "name", "role") if name in event}
    events[0]["graph"]["nodes"] = [{"name": EVIL, "role": "tool"}]
    events[0]["request"] |= {"machine": EVIL, "model": EVIL, "question": EVIL}
    events[4]["tokens"] = [[EVIL, -2.5, [[f"other {EVIL}", -0.5]]]]
    runs = [{"id": events[0]["run_id"], "request": events[0]["request"]}]
    (run_id,) = arriving.import_bundle(
        there, bundle({"runs.jsonl": runs, "events.jsonl": events, "prompts.jsonl": []})
    ).run_ids
    view = RunView.of(there.events(run_id))
    drawn = "".join(cards.entry_html(view, index) for index in range(len(view.entries)))
    heat = "".join(cards.entry_html(view, index, show="probabilities") for index in range(len(view.entries)))
    assert "other &lt;img" in heat
    drawn += heat + cards.answer_html(view) + diagram.diagram_svg(view) + metrics.metrics_html(view)
    drawn += "".join(cards.sent_html(call) for call in view.calls)
    assert "<img" not in drawn and "<script" not in drawn and 'onerror=alert(1)>"' not in drawn
    assert "&lt;img" in drawn and export.markdown(view)


def test_twenty_megabytes_of_events_are_taken_in_within_a_limit_of_memory(tmp_path):
    """In a process of its own, so that what it needs can be measured."""
    script = f"""
import resource, sys
sys.path.insert(0, {str(CHECKOUT)!r})
from pathlib import Path
from tests.carry.bundles import bundle, records_of
from tests.logs import three_steps
from workbench.carry import arriving
from workbench.events import Delta, to_json
from workbench.store.runs import RunStore
home = Path({str(tmp_path)!r})
log = three_steps(created_at={NOON!r}).events
words = " ".join(str(n * 7919) for n in range(150)) * 30
def lines():
    yield from map(to_json, log)
    for seq in range(len(log), len(log) + 20 * 2**20 // len(words)):
        yield to_json(Delta(run_id="aaaa1111", seq=seq, at=99.0, call_id="c", channel="text", text=words))
members = records_of(log) | {{"events.jsonl": lines()}}
(home / "large.zip").write_bytes(bundle(members).getvalue())
store = RunStore("sqlite:///" + str(home / "runs.db"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(home / "large.zip", "rb") as file:
    found = arriving.import_bundle(store, file)
print(found.contents.runs[0].events, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    events, megabytes = map(int, done.stdout.split()) if not done.stderr else pytest.fail(done.stderr)
    assert events > 500 and megabytes < 40
