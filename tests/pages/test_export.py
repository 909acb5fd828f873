"""What a person takes away."""

from tests.runs import run, verdict
from workbench.events import RunView, from_json
from workbench.settings import Settings
from workbench.ui import export

DRAFTS = ["A draft.", verdict("revise", 5, "short"), "A better draft.", verdict("accept", 9)]


def test_the_document_holds_question_answer_steps_and_what_made_it(settings: Settings):
    _, view = run(settings, "reflection", DRAFTS)
    text = export.markdown(view)
    assert text.startswith("# What is 2 + 2?\n\nA better draft.\n\n## Steps\n")
    assert text.index("### Draft 1") < text.index("### Revise · 5/10") < text.index("### Draft 2")
    assert "- Model: demo (scripted)" in text and "- Seed: 7" in text


def test_a_failed_runs_document_says_why(settings: Settings):
    _, view = run(settings, "reflection", ["A draft."])
    assert "script" in export.markdown(view).partition("## Steps")[0]


def test_the_log_is_one_event_a_line_and_reads_back(settings: Settings):
    events, view = run(settings, "reflection", DRAFTS)
    lines = export.jsonl(events).splitlines()
    assert [from_json(line) for line in lines] == events
    assert RunView.of(map(from_json, lines)).entries == view.entries


def test_files_are_named_by_machine_and_run(settings: Settings):
    _, view = run(settings, "reflection", DRAFTS)
    assert view.started
    assert export.file_name(view, "md") == f"reflection-{view.started.run_id[:8]}.md"
