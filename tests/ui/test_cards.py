import re
from typing import Any

import pytest

from tests.ui import samples
from tests.ui.test_markdown import Tags
from workbench.events import (
    CallFailed,
    CallView,
    Card,
    ErrorInfo,
    Graph,
    ModelCalled,
    Retried,
    RunStarted,
    RunView,
    ToolAnswered,
    ToolCalled,
    Warned,
)
from workbench.ui.cards import answer_html, confidence, entry_html, sent_html

NASTY = "<script>alert(1)</script><img src=x onerror=alert(1)> \ud800\x00"


def text(html: str) -> str:
    """What a person reads of a piece of HTML, spaces joined."""
    return " ".join(Tags(re.sub(r"<(?!/?(?:b|i|em|ins|del|abbr|strong|code)\b)", " <", html)).text.split())


def cards(view: RunView, **how: Any) -> list[str]:
    return [entry_html(view, index, **how) for index in range(len(view.entries))]


def one(log: samples.Log, **how: Any) -> str:
    """The only card of a log."""
    (card,) = cards(log.view(), **how)
    return card


def generating() -> samples.Log:
    return samples.Log("reflection", samples.REFLECTION).node("generate", 1)


@pytest.mark.parametrize("sample", list(samples.SAMPLES.values()), ids=list(samples.SAMPLES))
@pytest.mark.parametrize("fold", [False, True])
def test_every_state_draws_balanced_html_with_its_own_id(sample: Any, fold: bool):
    for index, html in enumerate(cards(sample(), fold=fold)):
        assert html.startswith("<article ") and f'id="entry-{index}"' in html
        for tag in ("article", "header", "div", "details", "summary", "span", "ul", "li", "pre", "p"):
            assert len(re.findall(rf"<{tag}[ >]", html)) == html.count(f"</{tag}>"), tag
        html.encode("utf-8")


def test_a_finished_step_says_role_title_seconds_tokens_and_probability():
    html = cards(samples.reflection_live())[0]
    assert text(html).startswith("generator Draft 1 9.2 s · 301 tok · p̄ .87")
    assert "wb-generator" in html and "wb-live" not in html and 'aria-busy="true"' not in html


def test_the_tokens_that_the_model_was_least_sure_of_are_behind_the_probability():
    html = cards(samples.reflection_live())[0]
    sure = html[html.index('<details class="wb-sure">') : html.index("</details>")]
    assert text(sure) == "p̄ .87 least sure of companion .10 tamed .15"


def test_the_live_step_has_a_caret_and_says_that_it_is_being_written():
    html = cards(samples.reflection_live())[-1]
    assert "wb-critic wb-live" in html and 'aria-busy="true"' in html
    assert text(html).startswith("critic Critique, round 2 writing… The fox is now")
    assert re.search(r"today<span class=\"wb-caret\"", html)


def test_every_wait_is_told_apart():
    queued, fetching, loading, reading, waiting, thinking, tool = cards(samples.waiting(), now=41.0)
    assert "Waiting for a free slot: place 2, 1 before it." in text(queued)
    assert "fetching… Fetching the model: 512 of 1,117 MB, 46%" in text(fetching) and "width:46%" in fetching
    assert "Loading the model, 0:41." in text(loading)
    assert "reading… 1,024 of 3,500 tokens, 20% from cache" in text(reading) and "width:29%" in reading
    assert "Waiting for the first token." in text(waiting)
    assert "thinking The question hides a comparison" in text(thinking) and "wb-caret" in thinking
    assert "tool python running…" in text(tool)


def test_the_next_in_the_queue_is_told_so():
    log = generating().call("c", "generate", "generator").add(samples.Queued, call_id="c", position=1)
    assert "place 1, next." in text(one(log))


def test_a_structured_answer_can_be_read_while_its_json_is_incomplete():
    html = cards(samples.stepwise_live())[-1]
    assert text(html) == ("thinker Count what was marked writing… There is one r after the t, and two more after the")
    assert "<strong>r</strong>" in html and "wb-caret" in html and "{" not in html


def test_every_prefix_of_a_structured_answer_draws():
    whole = (
        '{"title": "A <b>", "thought": "x\\ny", "score": 7, "issues": ["one", "two"], "ok": true, "none": null,'
        ' "action": {"tool": "t", "input": {"code": "a\\nb", "n": [1, {"k": 2.5}]}}, "draft": "\\ud83d\\ude00 \\ud800"}'
    )
    for end in range(len(whole) + 1):
        log = generating().call("c", "generate", "generator", schema=True).at(1).write("c", whole[:end])
        html = one(log)
        assert "wb-caret" in html or not whole[:end]
        assert "<b>" not in html
        html.encode("utf-8")


def test_any_schema_is_shown_by_its_fields():
    html = cards(samples.react_live())[-1]
    assert text(html).startswith(
        "actor Reason, round 3 writing… I divide by the number of pens instead. action tool calculator"
    )
    assert re.search(r'55.08 /<span class="wb-caret"', html)


def test_a_schema_s_answer_that_is_no_json_yet_is_shown_as_it_is():
    log = generating().call("c", "generate", "generator", schema=True).at(1).write("c", "Sure! Here <i>it</i>")
    assert "Sure! Here <i>it</i>" in text(one(log))


def test_json_that_nobody_asked_for_stays_text():
    log = generating().call("c", "generate", "generator").at(1).write("c", '{"title": "x"}')
    assert '{"title": "x"}' in text(one(log))


def test_a_verdict_shows_score_and_issues_once():
    html = cards(samples.reflection_live())[1]
    assert "width:60%" in html and 'aria-label="score 6/10"' in html
    assert text(html).endswith(
        "No example from the text · ending repeats the opening · says nothing of today's children"
    )
    assert text(html).count("6/10") == 1 and text(html).casefold().count("revise") == 1


def test_a_verdict_without_issues_says_so():
    assert "no issues named" in text(cards(samples.reflection_answered())[3])


def test_many_issues_become_a_list():
    log = generating().call("c", "critique", "critic").answer("c", "{}")
    issues = [f"issue number {n} is described at some length here" for n in range(6)]
    log.add(Card, node="critique", step=1, title="Revise", content="", call_id="c", data={"score": 3, "issues": issues})
    assert one(log).count("<li>issue number") == 6 and "3/10" in text(one(log))


def test_what_a_critic_says_besides_its_issues_is_kept():
    log = generating().call("c", "critique", "critic").answer("c", "{}")
    data = {"score": 3, "issues": ["a"], "verdict": "revise"}
    log.add(Card, node="critique", step=1, title="Verdict", content="A longer remark.", call_id="c", data=data)
    assert "A longer remark." in text(one(log)) and "verdict revise" in text(one(log))


def test_a_revision_shows_what_changed_or_its_clean_text():
    view = samples.reflection_live()
    assert "<del>treasured companion of childhood</del><ins>book that children" in entry_html(view, 2)
    clean = entry_html(view, 2, show="clean")
    assert "<del>" not in clean and "<ins>" not in clean and "<strong>businessman</strong>" in clean


def test_a_revision_of_code_is_compared_as_it_is_written():
    log = generating().call("c", "generate", "generator").answer("c", "x")
    after = "```python\ntotal = 2 * price\n```"
    data = {"previous": after.replace("2", "3")}
    log.add(Card, node="generate", step=1, title="Draft 2", content=after, call_id="c", data=data)
    assert "<del>3</del><ins>2</ins>" in one(log) and "```python" in text(one(log))


def test_a_long_finished_card_folds_and_keeps_its_whole_text():
    view = samples.reflection_live()
    folded = entry_html(view, 0, fold=True)
    assert '<details class="wb-fold"><summary>' in folded and "a mistake worth knowing" in text(folded)
    assert "wb-fold" not in entry_html(view, 0)


def test_a_short_or_a_live_card_does_not_fold():
    assert "wb-fold" not in entry_html(samples.reflection_live(), 1, fold=True)
    assert "wb-fold" not in entry_html(samples.reflection_live(), 3, fold=True)


def test_a_folded_revision_previews_its_new_words_only():
    preview = re.search(r'wb-preview">(.*?)</span>', entry_html(samples.reflection_live(), 2, fold=True))
    assert preview and "book that children" in preview[1] and "treasured" not in preview[1]


def test_finished_thinking_is_folded_apart():
    html = cards(samples.react_live())[0]
    assert '<details class="wb-thought"><summary>Thinking, 8 words</summary>' in html


def test_a_retried_call_says_why_what_was_told_and_what_had_come():
    html = cards(samples.stepwise_live())[1]
    words = text(html)
    assert "Count retried" in words and "Tried again: it was cut after 300 tokens" in words
    assert "told Your answer was cut. Answer again, shorter." in words
    assert "The first r is at" in html[html.index('<details class="wb-quiet">') :]


def test_a_call_retried_after_a_broken_stream_is_no_error():
    first = cards(samples.failed())[0]
    assert "Tried again after 2.0 s: The answer stopped before its end." in text(first)
    assert "wb-error" not in first and "The Little" in first


def test_a_failed_call_keeps_its_text_and_names_cause_and_next_action():
    log = generating().call("c", "generate", "generator").at(1).write("c", "Half a sent")
    log.add(CallFailed, call_id="c", error=ErrorInfo(code="server_fault", message="It failed.", hint="Try again."))
    words = text(one(log))
    assert "Half a sent" in words and words.endswith("It failed. Try again.") and "wb-error" in one(log)


def test_what_the_run_failed_of_is_said_once_at_its_end_and_marked_where_it_happened():
    view = samples.failed()
    failed, end = entry_html(view, 1), answer_html(view)
    assert text(failed).endswith("Failed here.") and "wb-error" in failed
    assert "Nothing answers at" not in text(failed) and "Start Ollama" not in text(failed)
    assert text(end).count("Nothing answers at") == 1 and text(end).count("Start Ollama") == 1


def test_a_call_that_the_run_failed_of_keeps_its_partial_text():
    error = ErrorInfo(code="server_fault", message="It broke.", hint="Try again.")
    log = generating().call("c", "generate", "generator").at(1).write("c", "Half a sent")
    view = log.add(CallFailed, call_id="c", error=error).end("failed", error=error).view()
    assert text(entry_html(view, 0)).endswith("Half a sent Failed here.")


def test_a_failure_that_the_run_did_not_end_of_keeps_its_sentence():
    error = ErrorInfo(code="server_fault", message="It broke.", hint="Try again.")
    log = generating().call("c", "generate", "generator").add(CallFailed, call_id="c", error=error)
    log.call("d", "generate", "generator").answer("d", "Well.")
    other = error.model_copy(update={"message": "The disk is full."})
    for view in (log.view(), log.end("failed", error=other).view()):
        assert text(entry_html(view, 0)).endswith("It broke. Try again.")


@pytest.mark.parametrize("end", ["answered", "failed"])
def test_a_call_retried_after_a_failure_keeps_its_sentence_whatever_the_end(end: str):
    error = ErrorInfo(code="server_fault", message="It broke.", hint="Try again.")
    log = generating().call("c", "generate", "generator").add(CallFailed, call_id="c", error=error)
    log.add(Retried, call_id="c", error=error, attempt=2).call("d", "generate", "generator")
    log = log.answer("d", "Well.") if end == "answered" else log.add(CallFailed, call_id="d", error=error)
    view = log.end(end, error=error if end == "failed" else None).view()
    assert "Tried again: It broke." in text(entry_html(view, 0)) and "Failed here." not in text(entry_html(view, 0))


def test_a_stopped_call_keeps_its_partial_text_without_an_error():
    view = samples.stopped()
    html = entry_html(view, 3)
    assert text(html).endswith("The fox is now doing real work in the Stopped here.")
    assert "wb-error" not in html and "wb-live" not in html and "wb-caret" not in html


def test_an_answer_cut_at_the_token_limit_says_so():
    assert "Cut at the token limit." in text(cards(samples.markdown())[0])


def test_a_tool_shows_arguments_code_and_observation():
    html = cards(samples.react_live())[1]
    assert "<pre><code>total = 48 * 1.35 * 0.85\nprint(round(total, 2))</code></pre>" in html
    assert text(html).startswith("tool python 27 ms") and text(html).endswith("observation 55.08")
    assert "wb-tool" in html


def test_a_tool_s_error_is_marked_in_words_and_kept_as_the_observation():
    html = cards(samples.react_live())[3]
    assert "calculator error 1 ms" in text(html) and "There is no name 'zero' here." in text(html)


def test_a_tool_that_said_nothing_or_was_stopped_says_so():
    assert "No output." in text(cards(samples.react_limit())[1])
    log = generating().add(ToolCalled, tool_id="t", node="act", step=1, name="python", arguments={"code": "1"})
    assert "Stopped before it answered." in text(one(log.end("stopped")))


def test_tool_calls_of_a_model_are_shown_with_their_arguments():
    assert "calls search query discount policy 2026 limit 3" in text(cards(samples.react_limit())[0])


def test_warnings_pauses_and_resumptions_have_no_role_s_colour():
    warned, _, paused, resumed, waiting = cards(samples.notes())[3:]
    assert "warning Prompt cut" in text(warned) and "Choose a larger context window." in text(warned)
    assert "resumed From the last finished step" in text(resumed) and "300" in text(resumed)
    assert "waiting for you" in text(waiting) and "wb-live" in waiting and "wb-live" not in paused
    assert all("wb-none" in html for html in (warned, paused, resumed, waiting))


@pytest.mark.parametrize(
    ("view", "title", "says"),
    [
        (samples.reflection_answered(), "Answer", "41.0 s · 3,141 tokens · 4 calls · feedback: judged by a critic"),
        (samples.react_limit(), "Limit reached", "No answer within 7 steps. Raise the limit"),
        (samples.stopped(), "Stopped", "You stopped it."),
        (samples.failed(), "Failed", "Start Ollama, then press Resume."),
    ],
)
def test_each_end_says_what_it_is(view: RunView, title: str, says: str):
    html = answer_html(view)
    assert text(html).startswith(title) and says in text(html)
    assert f"wb-{view.status}" in html and 'id="answer"' in html


def test_the_answer_has_the_confidence_of_the_call_that_wrote_it():
    assert "p̄ .88" in text(answer_html(samples.reflection_answered()))


def test_an_answer_that_no_call_wrote_so_claims_no_confidence():
    log = samples.reflection().end("answered", answer="Something else.", feedback="self")
    assert "p̄" not in answer_html(log.view())


def test_before_its_end_a_run_has_no_answer():
    assert answer_html(samples.reflection_live()) == ""


def test_what_was_sent_is_there_to_the_letter():
    call = samples.reflection_live().calls[0]
    html = sent_html(call)
    assert "You are an essay assistant.\nWrite the best essay you can." in html
    assert "temperature 0.7" in text(html) and "max tokens 1024" in text(html)
    assert text(html).index("system") < text(html).index("user")


def test_what_was_sent_shows_schemas_and_tool_calls():
    call = samples.stepwise_live().calls[0]
    assert "&quot;properties&quot;" in sent_html(call)
    carried = {"role": "assistant", "content": "", "tool_calls": [{"name": "search", "arguments": {"query": "x"}}]}
    sent = call.called.model_copy(update={"messages": (carried,)})
    assert "tool calls name search arguments query x" in text(sent_html(CallView(sent)))


def test_nothing_that_a_model_or_a_tool_wrote_becomes_markup():
    log = samples.Log("x", Graph(), machine_title=NASTY)
    log.call("c", NASTY, NASTY, messages=({"role": NASTY, "content": NASTY},)).write("c", NASTY, "thinking")
    log.answer("c", NASTY, thinking=NASTY)
    data = {NASTY: NASTY, "issues": [NASTY], "score": 3, "previous": NASTY, "deep": {"list": [{NASTY: [NASTY]}]}}
    log.add(Card, node=NASTY, step=1, title=NASTY, content=NASTY + " x", call_id="c", data=data)
    log.add(ToolCalled, tool_id="t", node="n", step=1, name=NASTY, arguments={NASTY: NASTY, "code": NASTY})
    log.add(ToolAnswered, tool_id="t", result=NASTY, error=True).add(Warned, code=NASTY, message=NASTY, hint=NASTY)
    log.end("failed", answer=NASTY, error=ErrorInfo(code="x", message=NASTY, hint=NASTY))
    view = log.view()
    for html in (*cards(view), *cards(view, fold=True, show="clean"), answer_html(view), sent_html(view.calls[0])):
        assert not Tags(html).tags & {"script", "img"}
        html.encode("utf-8")


def test_confidence_is_unknown_where_the_backend_does_not_tell():
    called = ModelCalled(run_id="r", seq=1, at=0, call_id="c", node="n", step=1, role="r", messages=(), parameters={})
    assert confidence(CallView(called)) is None


def test_an_entry_is_drawn_even_without_the_run_s_beginning():
    view = RunView.of(event for event in samples.reflection_live_log().events if not isinstance(event, RunStarted))
    assert "wb-none" in entry_html(view, 0)
