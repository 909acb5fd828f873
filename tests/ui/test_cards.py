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
    Paused,
    Resumed,
    Retried,
    RunStarted,
    RunView,
    ToolAnswered,
    ToolCalled,
    Warned,
)
from workbench.ui.cards import answer_html, confidence, counts_seconds, entry_html, sent_html
from workbench.ui.origins import begin_html

NASTY = "<script>alert(1)</script><img src=x onerror=alert(1)> \ud800\x00"


def text(html: str) -> str:
    """What a person reads of a piece of HTML, spaces joined; the bar under each call has tests of its own."""
    html = re.sub(r'<div class="wb-size.*?</div>', "", html)
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
    assert "Tried again after 2.0 s, attempt 2 of 3: The answer stopped before its end." in text(first)
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
    assert "Tried again, attempt 2 of 4: It broke." in text(entry_html(view, 0)) and "Failed here." not in text(
        entry_html(view, 0)
    )


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


def test_warnings_and_what_is_over_have_no_role_s_colour_and_what_waits_has_its_own():
    warned, _, paused, resumed, waiting = cards(samples.notes())[3:]
    assert "warning Prompt cut" in text(warned) and "Choose a larger context window." in text(warned)
    assert "resumed From the last finished step" in text(resumed) and "300" in text(resumed)
    assert "waiting for you" in text(waiting) and "wb-live" in waiting and "wb-live" not in paused
    assert all("wb-none" in html for html in (warned, paused, resumed))
    assert "wb-waiting" in waiting and "wb-none" not in waiting


def test_a_run_that_waits_shows_what_the_model_is_about_to_see():
    html = cards(samples.paused_model())[-1]
    assert text(html).startswith("paused Before critique waiting for you You chose to be asked before this step.")
    assert "about to ask critic" in text(html) and "user The essay to judge: The Little Prince" in text(html)
    before = html[html.index('<details class="wb-quiet">') :]
    assert text(before).startswith("1 message before it system You are a teacher")
    assert "button" not in html


def test_a_run_that_waits_before_a_tool_shows_what_it_is_about_to_get():
    html = cards(samples.paused_tool())[-1]
    assert text(html).startswith("paused Before python waiting for you This tool needs your approval.")
    assert "about to call python" in text(html) and "<pre><code>total = 48 * 1.35\nprint(total)</code></pre>" in html


def test_a_tool_without_arguments_says_so():
    log = samples.Log("react", samples.REACT).add(Paused, node="act", reason="It needs your approval.", tool="clock")
    assert "about to call clock No arguments." in text(one(log))


def test_an_answer_of_the_person_that_did_not_fit_is_kept_with_the_reason():
    html = cards(samples.waiting_for_you(draft="Nine of ten", reason="score: it is no number.").view())[-1]
    assert "score: it is no number. your answer Nine of ten" in text(html)


def test_a_pause_that_is_over_folds_what_was_about_to_happen():
    paused = cards(samples.steered())[1]
    assert text(paused).startswith("paused Before critique You chose to be asked before this step. What was about to")
    assert "wb-live" not in paused and paused.index("<summary>What was about to happen") < paused.index("about to ask")


def said() -> list[str]:
    return [html for html in cards(samples.steered()) if '<span class="wb-role">you</span>' in html]


def test_what_the_person_said_to_a_run_that_waited_is_told_in_their_words():
    titles = [re.search("<h3>(.*?)</h3>", html) for html in said()]
    assert [title[1] for title in titles if title] == [
        "Approved", "Edited", "Answered in its place", "Edited", "Answered in its place",
        "Rejected: Too long: say it in three sentences.",
    ]  # fmt: skip


def test_an_edited_message_shows_the_words_that_were_changed():
    html = said()[1]
    assert re.search("<ins>\\s*much\\s*</ins>", html) and "name the <del>fox</del><ins>rose</ins>." in html


def test_edited_arguments_show_what_was_changed_and_what_was_left():
    html = said()[3]
    assert "print(1 + <del>1</del><ins>2</ins>)" in html and text(html).endswith("limit 3")


def test_an_argument_that_was_added_or_taken_away_is_seen():
    log = samples.Log("react", samples.REACT)
    log.add(Paused, node="act", reason="Asked.", tool="search", arguments={"query": "fox", "limit": 3, "deep": [1]})
    html = cards(log.add(Resumed, verb="edit", arguments={"query": "fox", "deep": [1, 2], "new": "x"}).view())[1]
    assert (
        "<del>3</del>" in html and "<ins>x</ins>" in html and "[1<ins>, 2</ins>]" in html and "query fox" in text(html)
    )


def test_a_long_word_to_the_model_is_below_the_title():
    word = "It is too long, it names no source, and its last paragraph says again what the first one has said."
    html = cards(samples.waiting_for_you().add(Resumed, verb="reject", text=word).view())[-1]
    assert "<h3>Rejected</h3>" in html and text(html).endswith(word)


def test_what_the_person_answered_is_marked_and_claims_no_confidence_tokens_or_time():
    view = samples.steered()
    call = next(entry for entry in view.entries if isinstance(entry, CallView) and entry.called.by_person)
    html = entry_html(view, view.entries.index(call))
    assert text(html) == "critic Critique, round 2 by you Good enough for me."
    assert confidence(CallView(call.called, answer=call.answer, card=a_card(confidence=0.9))) is None
    tool = next(html for html in cards(view) if "<h3>search</h3>" in html and "wb-tool" in html)
    assert text(tool) == "tool search by you query fox observation There is none."


def a_card(**fields: Any) -> Card:
    return Card(run_id="r", seq=9, at=9, node="n", step=1, title="T", content="c", **fields)


def test_what_a_fork_took_over_is_marked_and_a_line_says_where_it_left():
    first, second, own = cards(samples.forked_live())
    assert text(first).startswith("generator Draft 1 inherited from ab12cd34 301 tok · p̄ .87")
    assert "wb-inherited" in first and "Forked here" not in first
    assert text(second).endswith("Forked here from run ab12cd34")
    assert "wb-inherited" not in own and "inherited" not in text(own)


def test_a_fork_that_has_not_written_yet_has_its_line():
    assert text(cards(samples.forked().view())[-1]).endswith("Forked here from run ab12cd34")


def test_a_fork_that_is_run_again_says_so_at_its_line():
    again = samples.forked(relation="reproduce").view()
    assert text(cards(again)[-1]).endswith("Run again from here, as run ab12cd34")


@pytest.mark.parametrize(
    ("relation", "words"),
    [("fork", "Forked at the start of run ab12cd34"), ("reproduce", "Run again as run ab12cd34"), ("continue", "")],
)
def test_a_run_that_took_nothing_over_says_first_where_it_comes_from(relation: str, words: str):
    log = samples.Log("reflection", samples.REFLECTION, parent_run="ab12cd34ef56", relation=relation)
    assert text(begin_html(log.events[0])) == words


def test_a_thread_s_earlier_questions_come_first_with_their_answers_folded():
    view = samples.thread()
    assert view.started
    html = begin_html(view.started)
    hidden, shown = html.split("</section>")[0].split("<span>When?</span>")
    assert text(hidden).startswith("Earlier in this thread 1 more before them Who wrote The Little Prince?")
    assert "<strong>Saint-Exupéry</strong>" in hidden
    assert "In 1942, in New York." in text(shown) and "For whom? No answer." in text(shown)
    assert html.count('<details class="wb-exchange">') == 4 and " open" not in html


def test_a_run_that_is_nobody_s_begins_without_a_word():
    assert begin_html(samples.reflection().events[0]) == ""


def test_the_wait_before_the_next_attempt_counts_down():
    view = samples.retrying()
    assert text(entry_html(view, 0, now=2.0)).startswith("generator Generate next try in 7 s Attempt 2 of 4 in 7 s")
    assert "The server takes no more requests for now." in text(entry_html(view, 0, now=2.0))
    assert "next try in 1 s" in text(entry_html(view, 0, now=8.99)) and "wb-live" in entry_html(view, 0, now=8.99)
    over = entry_html(view, 0, now=9.0)
    assert "Tried again after 8.0 s, attempt 2 of 4" in text(over) and "next try" not in over and "wb-live" not in over


def test_only_a_card_that_counts_seconds_asks_to_be_drawn_again():
    view = samples.retrying()
    assert counts_seconds(view, 0, 3.0) and not counts_seconds(view, 0, 9.0)
    assert [counts_seconds(samples.waiting(), index, 9.0) for index in range(7)] == [False] * 2 + [True] + [False] * 4
    assert not counts_seconds(samples.retry_log().end("stopped").view(), 0, 3.0)


def test_a_wait_that_the_end_of_the_run_cut_off_was_no_attempt():
    html = entry_html(samples.retry_log().end("stopped", reason="Stopped.").view(), 0)
    assert "Stopped before attempt 2 of 4." in text(html) and "Tried again" not in text(html)


@pytest.mark.parametrize("resumed", [True, False])
def test_a_wait_ends_where_the_same_is_asked_again_or_the_run_went_on_another_time(resumed: bool):
    log = samples.retry_log()
    log = log.end("stopped").add(Resumed) if resumed else log.call("c2", "generate", "generator")
    assert "next try" not in entry_html(log.view(), 0, now=3.5)


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
    asked = {"history": [{"question": NASTY, "answer": NASTY}] * 5}
    log = samples.Log("x", Graph(), machine_title=NASTY, request=asked, parent_run=NASTY, relation="fork")
    log.call("c", NASTY, NASTY, messages=({"role": NASTY, "content": NASTY},)).write("c", NASTY, "thinking")
    log.answer("c", NASTY, thinking=NASTY)
    data = {NASTY: NASTY, "issues": [NASTY], "score": 3, "previous": NASTY, "deep": {"list": [{NASTY: [NASTY]}]}}
    log.add(Card, node=NASTY, step=1, title=NASTY, content=NASTY + " x", call_id="c", data=data)
    log.add(ToolCalled, tool_id="t", node="n", step=1, name=NASTY, arguments={NASTY: NASTY, "code": NASTY})
    log.add(ToolAnswered, tool_id="t", result=NASTY, error=True).add(Warned, code=NASTY, message=NASTY, hint=NASTY)
    log.add(Paused, node=NASTY, reason=NASTY, role=NASTY, messages=({"role": NASTY, "content": NASTY},), draft=NASTY)
    log.add(Resumed, verb="edit", text=NASTY + " y").add(
        Paused, node="n", reason="", tool=NASTY, arguments={NASTY: NASTY}
    )
    log.add(Resumed, verb="edit", arguments={NASTY: 3}).add(Resumed, verb="reject", text=NASTY)
    log.end("failed", answer=NASTY, error=ErrorInfo(code="x", message=NASTY, hint=NASTY))
    view = log.view()
    for html in (
        *cards(view),
        *cards(view, fold=True, show="clean"),
        answer_html(view),
        sent_html(view.calls[0]),
        begin_html(log.events[0]),
    ):
        assert not Tags(html).tags & {"script", "img"}
        html.encode("utf-8")


def test_confidence_is_unknown_where_the_backend_does_not_tell():
    called = ModelCalled(run_id="r", seq=1, at=0, call_id="c", node="n", step=1, role="r", messages=(), parameters={})
    assert confidence(CallView(called)) is None


def test_an_entry_is_drawn_even_without_the_run_s_beginning():
    view = RunView.of(event for event in samples.reflection_live_log().events if not isinstance(event, RunStarted))
    assert "wb-none" in entry_html(view, 0)
