"""Import, bundles, verdicts and training data as a person meets them, without a browser."""

import io
import json
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from tests.carry.test_training import keep, preference_lines, scored, supervised_lines
from tests.pages.driving import STEPS, ask, html, open_app
from workbench.carry import arriving, leaving, published
from workbench.carry.training import Data
from workbench.engine import Engine
from workbench.store.runs import RunStore

App = Callable[..., AppTest]


def bundle(tmp_path, *verdicts: str) -> bytes:
    """A bundle of another machine's run."""
    store = RunStore(f"sqlite:///{tmp_path / 'there.db'}")
    keep(store, "there1", "How far is the moon?", "Far.", *verdicts)
    data = leaving.export_run(store, "there1")
    store.close()
    return data


def import_dialog(app: App, data: bytes) -> AppTest:
    """The Runs page with the dialog open and the file chosen."""
    at = app().switch_page("pages/runs.py").run()
    at.button(key="open-import").click().run()
    return at.file_uploader(key="bundle").set_value(("run.zip", data, "application/zip")).run()


def test_a_bundle_is_shown_before_it_is_taken_in_and_its_run_opens_afterwards(
    app: App, engine: Callable[[], Engine], tmp_path
):
    at = import_dialog(app, bundle(tmp_path))
    assert "How far is the moon?" in html(at) and "1 run, made by Second Thought" in html(at)
    assert engine().store.count() == 0
    at.button(key="import").click().run()
    (row,) = engine().store.runs()
    assert row.foreign_id == "there1" and "It is imported" in at.success[0].value
    at.button(key=f"open-imported-{row.id}").click().run()
    assert "Far." in html(at) and at.query_params["run"] == row.id
    assert not at.exception


def test_what_is_no_bundle_is_said_in_the_dialog(app: App, engine: Callable[[], Engine], tmp_path):
    at = import_dialog(app, bundle(tmp_path)[:-1])
    assert "This is no bundle" in at.error[0].value
    assert engine().store.count() == 0 and not at.exception


def test_a_verdict_is_kept_at_once_and_taken_back(app: App, engine: Callable[[], Engine]):
    at = ask(app(STEPS), "What is 2 + 2?")
    (row,) = engine().store.runs()
    choice = f"verdict-{row.id}"
    at.segmented_control(key=choice).select("good").run()
    assert engine().store.run(row.id).verdict == "good"
    assert open_app(run=row.id).segmented_control(key=choice).value == "good"
    at.segmented_control(key=choice).unselect("good").run()
    assert engine().store.run(row.id).verdict == ""
    at.segmented_control(key=choice).select("bad").run()
    assert engine().store.run(row.id).verdict == "bad" and not at.exception


def test_training_data_is_counted_before_it_is_downloaded(app: App, engine: Callable[[], Engine]):
    at = app()
    keep(engine().store, "run1", "Why?", "Because.", "good")
    keep(engine().store, "run2", "Why?", "Dunno.", "bad")
    at.switch_page("pages/runs.py").run()
    at.button(key="open-training").click().run()
    assert "1 example from 1 run" in html(at) and "1 · runs that were called bad" in html(at)
    assert "demo (scripted)" in html(at) and "It comes from a script" in html(at)
    (shown,) = at.code
    assert supervised_lines(Data(lines=[shown.value]))
    at.segmented_control(key="training-kind").select("preference").run()
    assert "1 pair from 2 runs" in html(at)
    assert preference_lines(Data(lines=[at.code[0].value]))
    at.segmented_control(key="training-form").select("trl").run()
    assert set(json.loads(at.code[0].value)) == {"prompt", "chosen", "rejected"}
    assert not at.exception


def test_an_experiment_and_imported_runs_are_chosen_in_the_dialog(app: App, engine: Callable[[], Engine], tmp_path):
    at = app()
    keep(engine().store, "run1", "Why?", "Because.", "good")
    keep(engine().store, "run2", "How?", "So.", "good")
    scored(engine().store, ("run2", 0, 0, 0.0))
    arriving.import_bundle(engine().store, io.BytesIO(bundle(tmp_path, "good")))
    at.switch_page("pages/runs.py").run()
    at.button(key="open-training").click().run()
    assert "2 examples from 2 runs<" in html(at) and "1 · runs that were imported" in html(at)
    at.checkbox(key="training-imported").check().run()
    assert "3 examples from 3 runs, 1 of them imported" in html(at)
    at.selectbox(key="training-of").set_value("Sums").run()
    assert "1 example from 1 run<" in html(at) and "So." in at.code[0].value
    assert not at.exception


def test_with_nothing_judged_or_nobody_to_judge_the_dialog_says_what_to_do(app: App):
    at = app().switch_page("pages/runs.py").run()
    at.button(key="open-training").click().run()
    assert "Mark the end of a run as good or bad" in html(at)
    at.pills(key="training-sources").set_value([]).run()
    assert "Choose at least one under Judged by" in at.error[0].value.replace("\\", "")
    assert not at.exception


LOG = b"""Question: Where is it?
Thought 1: I look.
Action 1: Search[a place]
Observation 1: It is there.
Thought 2: I know.
Action 2: Finish[there]
"""


def test_an_attempt_of_a_published_log_offers_nothing_that_can_only_be_refused(app: App, engine: Callable[[], Engine]):
    """Its backend is none of ours: it cannot be run again, and what the model was sent is not in it."""
    app()
    (run_id,) = published.keep(engine().store, LOG).ids
    at = open_app(run=run_id)
    keys = [button.key for button in at.button]
    assert "reproduce" not in keys and "use-example" not in keys
    assert "fork-ended" in keys and "new-question" in keys
    assert not at.exception
