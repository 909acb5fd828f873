"""What a person takes away."""

from tests.runs import run, verdict
from tests.ui import samples
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


def test_a_run_that_waits_says_so_first_and_what_was_said_to_one_that_waited():
    assert "\n\n*It waits for you: Before critique. You chose to be asked before this step.*\n\n" in export.markdown(
        samples.paused_model()
    )
    text = export.markdown(samples.steered())
    assert "### Waited for you: Before critique\n\nYou chose to be asked before this step.\n\n### Approved\n" in text
    edited = "> Make it shorter and name the fox.\n\nIt became:\n\n> Make it much shorter and name the rose."
    assert f"### Edited\n\nIt was:\n\n{edited}" in text
    assert '{"code": "print(1 + 1)", "limit": 3}' in text and '{"code": "print(1 + 2)", "limit": 3}' in text
    assert "### Rejected: Too long: say it in three sentences." in text
    assert "### Critic (by you)\n\nGood enough for me." in text
    assert "### search (by you)\n\n```\nquery: fox\n```\n\n```\nThere is none.\n```" in text


def test_a_forks_document_says_what_it_took_over_and_where_it_left():
    text = export.markdown(samples.forked_live())
    assert text.index("### Draft 1 (inherited from ab12cd34)") < text.index("### Revise · 6/10 (inherited")
    assert text.index("*Forked here from run ab12cd34.*") < text.index("### Generator\n")
    assert text.count("*Forked here") == 1 and ", forked from run ab12cd34" in text


def test_a_follow_ups_document_begins_with_the_thread():
    text = export.markdown(samples.thread())
    told = text.partition("## Earlier in this thread")[2].partition("## Steps")[0]
    assert "**Who wrote The Little Prince?**\n\n> Antoine de **Saint-Exupéry**.\n\n**When?**" in told
    assert "**For whom?**\n\n> (nothing)" in told
    assert ", continues run dd44" in text


def test_what_a_tool_said_cannot_break_out_of_its_fence():
    log = samples.Log("react", samples.REACT).add(
        samples.ToolCalled, tool_id="t", node="act", step=1, name="x", arguments={}
    )
    text = export.markdown(log.add(samples.ToolAnswered, tool_id="t", result="```\n# out").view())
    assert "### x\n\n````\n```\n# out\n````" in text
