"""Handwritten runs in every state that a page can show."""

from typing import Any

from workbench.events import (
    CallFailed,
    Card,
    Decision,
    Delta,
    ErrorInfo,
    Graph,
    GraphEdge,
    GraphNode,
    Loading,
    LowToken,
    ModelAnswered,
    ModelCalled,
    NodeFinished,
    NodeStarted,
    Paused,
    Queued,
    Reading,
    Resumed,
    Retried,
    RunFinished,
    RunStarted,
    RunView,
    ToolAnswered,
    ToolCall,
    ToolCalled,
    Totals,
    Warned,
)

QUESTION = "Write a short essay on why The Little Prince still matters in modern childhood."
DRAFT = (
    "The Little Prince remains a treasured companion of childhood. Its small hero asks the questions that grown-ups "
    "have forgotten how to ask: what is essential, what is owned, what is tamed.\n\n"
    "A child who reads it today meets a **businessman** who counts stars and a *king* without subjects, and laughs at "
    "both. The book's planets are small enough to walk around in a minute, and each is a mistake worth knowing."
)
REVISION = (
    "The Little Prince remains a book that children meet twice: once as a story about a planet, later as a story about "
    "attention. When the fox asks to be tamed, he asks for time, the one thing that a screen never returns. Its small "
    "hero asks the questions that grown-ups have forgotten how to ask: what is essential, what is owned, what is "
    "tamed.\n\n"
    "A child who reads it today meets a **businessman** who counts stars and a *king* without subjects, and laughs at "
    "both."
)
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}}


def graph(nodes: dict[str, str], *edges: str) -> Graph:
    """`graph({"a": "critic"}, "start a", "a ? end")`; a question mark makes an edge conditional."""
    names = {"start": "__start__", "end": "__end__"}
    parts = [edge.split() for edge in edges]
    return Graph(
        nodes=tuple(GraphNode(name=name, role=role) for name, role in nodes.items()),
        edges=tuple(
            GraphEdge(source=names.get(p[0], p[0]), target=names.get(p[-1], p[-1]), conditional="?" in p) for p in parts
        ),
    )


REFLECTION = graph(
    {"generate": "generator", "critique": "critic"},
    "start generate",
    "generate ? critique",
    "generate ? end",
    "critique ? generate",
    "critique ? end",
)
REACT = graph(
    {"open": "none", "reason": "thinking", "act": "tool", "give_up": "none"},
    "start open",
    "open reason",
    "reason ? act",
    "reason ? give_up",
    "reason ? end",
    "act reason",
    "give_up end",
)
STEPWISE = graph(
    {"open": "none", "think": "thinking", "conclude": "generator"},
    "start open",
    "open think",
    "think ? think",
    "think ? conclude",
    "conclude end",
)
LADDER = graph(
    {
        "plan": "thinking",
        "retrieve": "tool",
        "draft": "generator",
        "review": "critic",
        "verify_every_claim": "tool",
        "finish_report": "generator",
    },
    "start plan",
    "plan retrieve",
    "retrieve draft",
    "draft review",
    "review ? draft",
    "review ? plan",
    "review ? verify_every_claim",
    "verify_every_claim ? verify_every_claim",
    "verify_every_claim ? finish_report",
    "plan ? end",
    "finish_report end",
)


class Log:
    """A run's log being written by hand: `log.at(3).add(NodeStarted, node="x", step=1)`."""

    def __init__(self, machine: str, shape: Graph, **started: Any) -> None:
        self.events: list[Any] = []
        self.now = 0.0
        request: dict[str, Any] = {
            "machine": machine,
            "question": QUESTION,
            "backend": "scripted",
            "model": "qwen2.5:7b",
        }
        request |= {"settings": {"seed": 7, "temperature": 0.7}} | started.pop("request", {})
        fields = {"machine_title": machine.capitalize(), "graph": shape, "created_at": "2026-11-23T09:00:00+00:00"}
        self.add(RunStarted, request=request, context_window=8192, **fields | started)

    def at(self, seconds: float) -> "Log":
        self.now = seconds
        return self

    def add(self, kind: type[Any], **fields: Any) -> "Log":
        self.events.append(kind(run_id="r", seq=len(self.events), at=self.now, **fields))
        return self

    def node(self, name: str, step: int) -> "Log":
        return self.add(NodeStarted, node=name, step=step)

    def leave(self, name: str, step: int) -> "Log":
        return self.add(NodeFinished, node=name, step=step)

    def call(self, call_id: str, node: str, role: str, *, schema: bool = False, **fields: Any) -> "Log":
        parameters: dict[str, Any] = {"model": "qwen2.5:7b", "temperature": 0.7, "max_tokens": 1024, "top_logprobs": 1}
        messages = (
            {"role": "system", "content": "You are an essay assistant.\nWrite the best essay you can."},
            {"role": "user", "content": QUESTION},
        )
        given = {"messages": messages, "parameters": parameters | ({"json_schema": SCHEMA} if schema else {})}
        extra = {"step": 1, "prompt_estimate": 1800, "context_window": 8192}
        return self.add(ModelCalled, call_id=call_id, node=node, role=role, **given | extra | fields)

    def write(self, call_id: str, text: str, channel: str = "text") -> "Log":
        return self.add(Delta, call_id=call_id, channel=channel, text=text)

    def answer(self, call_id: str, text: str, **fields: Any) -> "Log":
        measured = {
            "prompt_tokens": 540,
            "completion_tokens": 301,
            "cached_tokens": 448,
            "decode_seconds": 8.8,
            "mean_logprob": -0.139,
            "lowest_tokens": (
                LowToken(token=" companion", logprob=-2.3, position=4),
                LowToken(token=" tamed", logprob=-1.9, position=40),
            ),
        }
        return self.add(ModelAnswered, call_id=call_id, text=text, **measured | fields)

    def end(self, status: str, **fields: Any) -> "Log":
        totals = Totals(calls=4, prompt_tokens=2160, completion_tokens=981, cached_tokens=1792, seconds=self.now)
        return self.add(RunFinished, status=status, totals=totals, **fields)

    def view(self) -> RunView:
        return RunView.of(self.events)


def reflection() -> Log:
    """Two drafts and a critique: the run of the drawings."""
    log = Log("reflection", REFLECTION)
    log.node("generate", 1).call("c1", "generate", "generator").at(0.38).write("c1", DRAFT)
    log.at(9.2).answer("c1", DRAFT).add(Card, node="generate", step=1, title="Draft 1", content=DRAFT, call_id="c1")
    log.add(Decision, node="generate", edge="critique", reason="round 1").leave("generate", 1)
    log.node("critique", 2).call("c2", "critique", "critic", schema=True, prompt_estimate=2540)
    issues = ["No example from the text", "ending repeats the opening", "says nothing of today's children"]
    log.at(9.9).write("c2", "{").at(13.3).answer("c2", "{}", completion_tokens=122, mean_logprob=-0.236)
    said = {"issues": issues, "score": 6, "verdict": "revise"}
    content = "\n".join(f"- {issue}" for issue in issues)
    log.add(Card, node="critique", step=2, title="Revise · 6/10", content=content, call_id="c2", data=said)
    log.add(Decision, node="critique", edge="generate", reason="revise").leave("critique", 2)
    log.node("generate", 3).call("c3", "generate", "generator").at(14).write("c3", REVISION)
    log.at(22.1).answer("c3", REVISION, completion_tokens=329, mean_logprob=-0.128)
    data = {"previous": DRAFT}
    log.add(Card, node="generate", step=3, title="Draft 2", content=REVISION, call_id="c3", data=data)
    log.add(Decision, node="generate", edge="critique", reason="round 2").leave("generate", 3).node("critique", 4)
    return log


def reflection_live_log() -> Log:
    """The critic writes its second verdict."""
    log = reflection().call("c4", "critique", "critic", prompt_estimate=2540).at(41.2)
    return log.write(
        "c4",
        "The fox is now doing real work in the second paragraph, and the ending no longer echoes the first line. "
        "What is still missing is a counter-voice: why might a child today",
    )


def reflection_live() -> RunView:
    """The critic writes its second verdict."""
    return reflection_live_log().view()


def reflection_answered() -> RunView:
    """The critic accepted."""
    log = reflection().call("c4", "critique", "critic", schema=True).at(30).answer("c4", "{}")
    said = {"issues": [], "score": 9, "verdict": "accept"}
    log.add(Card, node="critique", step=4, title="Accept · 9/10", content="- (none named)", call_id="c4", data=said)
    log.add(Decision, node="critique", edge="__end__", reason="accept").leave("critique", 4)
    return log.at(41).end("answered", answer=REVISION, feedback="critic").view()


def stepwise_live() -> RunView:
    """A step is retried, the next one streams as JSON."""
    log = Log("stepwise", STEPWISE)
    log.node("open", 1).leave("open", 1).node("think", 2).call("c1", "think", "thinker", schema=True)
    text = "Count the letters one by one: s-t-r-a-w-b-e-r-r-y. I will mark every **r** as I pass it."
    log.at(4).answer("c1", "{}", completion_tokens=64)
    data = {"next_action": "continue"}
    log.add(Card, node="think", step=2, title="Step 1: Spell it out", content=text, call_id="c1", data=data)
    log.add(Decision, node="think", edge="think", reason="continue").leave("think", 2)
    log.node("think", 3).call("c2", "think", "thinker", schema=True).at(9)
    cut = '{"title": "Count", "content": "The first r is at'
    log.answer("c2", cut, finish_reason="length")
    wrong = ErrorInfo(code="structured_output_invalid", message="it was cut after 300 tokens")
    log.add(Retried, call_id="c2", error=wrong, attempt=2, told="Your answer was cut. Answer again, shorter.")
    log.call("c3", "think", "thinker", schema=True).at(11)
    live = '{"title": "Count what was marked", "content": "There is one **r** after the t, and two more after the'
    return log.write("c3", live).view()


def react_live() -> RunView:
    """Tools, one of them in error, thinking, and a live structured step with nested arguments."""
    return react_log().view()


def react_log() -> Log:
    """Tools, one of them in error, thinking, and a live structured step with nested arguments."""
    log = Log("react", REACT)
    log.node("open", 1).leave("open", 1).node("reason", 2).call("c1", "reason", "actor", schema=True)
    log.at(1).write("c1", "I should compute this exactly rather than guess.", "thinking").at(5)
    log.answer("c1", "{}", completion_tokens=58, thinking="I should compute this exactly rather than guess.")
    data = {"action": "python", "input": {"code": "total = 48 * 1.35 * 0.85\nprint(round(total, 2))"}}
    thought = "The discount applies to the total, so I compute it in one go."
    log.add(Card, node="reason", step=2, title="Step 1", content=thought, call_id="c1", data=data)
    log.add(Decision, node="reason", edge="act", reason="python").leave("reason", 2).node("act", 3)
    log.add(ToolCalled, tool_id="t1", node="act", step=3, name="python", arguments=data["input"]).at(5.1)
    log.add(ToolAnswered, tool_id="t1", result="55.08", seconds=0.027).leave("act", 3)
    log.node("reason", 4).call("c2", "reason", "actor", schema=True).at(8).answer("c2", "{}", completion_tokens=31)
    data = {"action": "calculator", "input": {"expression": "55.08 / zero"}}
    log.add(Card, node="reason", step=4, title="Step 2", content="A check by division.", call_id="c2", data=data)
    log.add(Decision, node="reason", edge="act", reason="calculator").leave("reason", 4).node("act", 5)
    log.add(ToolCalled, tool_id="t2", node="act", step=5, name="calculator", arguments=data["input"]).at(8.2)
    refused = "There is no name 'zero' here. Write numbers and + - * / ( )."
    log.add(ToolAnswered, tool_id="t2", result=refused, error=True, seconds=0.001).leave("act", 5)
    log.node("reason", 6).call("c3", "reason", "actor", schema=True).at(9.9)
    live = '{"thought": "I divide by the number of pens instead.", "action": {"tool": "calculator", "input": "55.08 /'
    return log.write("c3", live)


def react_limit() -> RunView:
    """The step limit, a native tool call, a running tool that never answered."""
    log = Log("react", REACT)
    log.node("open", 1).leave("open", 1).node("reason", 2).call("c1", "reason", "actor")
    call = ToolCall(id="x", name="search", arguments={"query": "discount policy 2026", "limit": 3})
    log.at(5).answer("c1", "", tool_calls=(call,), finish_reason="tool_calls")
    log.add(Decision, node="reason", edge="act", reason="search").leave("reason", 2).node("act", 3)
    log.add(ToolCalled, tool_id="t1", node="act", step=3, name="search", arguments=call.arguments).at(6)
    log.add(ToolAnswered, tool_id="t1", result="", seconds=0.2).leave("act", 3)
    log.node("reason", 4).add(Decision, node="reason", edge="give_up", reason="step 7 was the last")
    log.leave("reason", 4).node("give_up", 5).leave("give_up", 5)
    return log.at(64).end("limit", reason="No answer within 7 steps.", answer="", feedback="tool").view()


def waiting() -> RunView:
    """Every state before the first token, and a tool at work."""
    log = Log("react", REACT).node("open", 1)
    log.call("q", "reason", "actor").add(Queued, call_id="q", position=2)
    log.call("f", "reason", "actor").add(Loading, call_id="f", stage="fetch", done=512_000_000, total=1_117_320_768)
    log.call("l", "reason", "actor").add(Loading, call_id="l", stage="load")
    log.call("r", "reason", "actor").add(Reading, call_id="r", read=1024, cached=717, total=3500)
    log.call("w", "reason", "actor").call("t", "reason", "actor")
    log.at(7).write("t", "The question hides a comparison: I should", "thinking")
    log.add(ToolCalled, tool_id="t1", node="act", step=3, name="python", arguments={"code": "while True:\n    pass"})
    return log.view()


def notes() -> RunView:
    """A pause for the person, a warning, a card without a call, what the person changed."""
    log = reflection()
    log.add(Warned, code="prompt_cut", message="The prompt was cut to fit.", hint="Choose a larger context window.")
    log.add(Card, node="critique", step=4, title="Nothing changed", content="The drafts are the same word for word.")
    log.add(Paused, node="critique", reason="You asked to look before the critic.")
    log.add(Resumed, limits={"steps": 300, "tokens": None})
    return log.add(Paused, node="critique", reason="You asked to look before the critic.").view()


def paused_before() -> RunView:
    """The run waits for the person before a node that has not begun."""
    log = Log("reflection", REFLECTION).node("generate", 1).leave("generate", 1)
    return log.add(Paused, node="critique", reason="You asked to look before the critic.").view()


def forked(**started: Any) -> Log:
    """A run that took the first draft and its critique over and writes its own second draft."""
    parent = reflection().events
    end = next(event.seq for event in parent if event.kind == "node_finished" and event.node == "critique")
    origin = {"parent_run": "ab12cd34ef56", "parent_seq": end, "relation": "fork", "inherited": end}
    log = Log("reflection", REFLECTION, **origin | started)
    log.events += [event.model_copy(update={"at": 0.0}) for event in parent[1 : end + 1]]
    return log


def forked_live() -> RunView:
    """The fork writes."""
    log = forked().node("generate", 3).call("c3", "generate", "generator").at(1.2)
    return log.write("c3", "The Little Prince is a book that children meet twice").view()


CHOSEN = "You chose to be asked before this step."
PROMPT = (
    {"role": "system", "content": "You are a teacher who grades an essay submission."},
    {"role": "user", "content": f"The essay to judge:\n\n{DRAFT}"},
)


def waiting_for_you(**fields: Any) -> Log:
    """The run waits before the critic reads the first draft."""
    log = Log("reflection", REFLECTION).node("generate", 1).call("c1", "generate", "generator").at(9.2)
    log.answer("c1", DRAFT).add(Card, node="generate", step=1, title="Draft 1", content=DRAFT, call_id="c1")
    log.leave("generate", 1).node("critique", 2)
    about = {"role": "critic", "messages": PROMPT, "answer_schema": SCHEMA, "reason": CHOSEN}
    return log.add(Paused, node="critique", step=2, **about | fields)


def paused_model() -> RunView:
    """The run waits before a model is asked."""
    return waiting_for_you().view()


def paused_tool() -> RunView:
    """The run waits before a tool is called."""
    log = Log("react", REACT).node("open", 1).leave("open", 1).node("reason", 2).leave("reason", 2).node("act", 3)
    given = {"code": "total = 48 * 1.35\nprint(total)", "limit": 3}
    return log.add(
        Paused, node="act", step=3, reason="This tool needs your approval.", tool="python", arguments=given
    ).view()


def steered() -> RunView:
    """Everything that a person can say to a run that waits."""
    return steered_log().view()


def steered_log() -> Log:
    """Everything that a person can say to a run that waits."""
    log = waiting_for_you().at(30).add(Resumed, verb="approve").call("c2", "critique", "critic", schema=True).at(34)
    log.answer("c2", "{}").leave("critique", 2).node("generate", 3)
    about = {"node": "generate", "step": 3, "reason": CHOSEN, "role": "generator"}
    log.add(Paused, messages=(PROMPT[0], {"role": "user", "content": "Make it shorter and name the fox."}), **about)
    log.add(Resumed, verb="edit", text="Make it much shorter and name the rose.").call("c3", "generate", "generator")
    log.at(41).answer("c3", REVISION).leave("generate", 3)
    log.add(Paused, node="critique", reason=CHOSEN, role="critic", messages=PROMPT)
    log.add(Resumed, verb="answer", text="Good enough for me.")
    log.call("c4", "critique", "critic", by_person=True).add(ModelAnswered, call_id="c4", text="Good enough for me.")
    given = {"code": "print(1 + 1)", "limit": 3}
    log.add(Paused, node="act", reason="This tool needs your approval.", tool="python", arguments=given)
    log.add(Resumed, verb="edit", arguments={"code": "print(1 + 2)", "limit": 3})
    edited = {"code": "print(1 + 2)", "limit": 3}
    log.add(ToolCalled, tool_id="t1", node="act", step=3, name="python", arguments=edited)
    log.add(ToolAnswered, tool_id="t1", result="3", seconds=0.02)
    log.add(Paused, node="act", reason="This tool needs your approval.", tool="search", arguments={"query": "fox"})
    log.add(Resumed, verb="answer", text="There is none.")
    log.add(ToolCalled, tool_id="t2", node="act", step=3, name="search", arguments={"query": "fox"}, by_person=True)
    log.add(ToolAnswered, tool_id="t2", result="There is none.")
    log.add(Paused, node="generate", reason="You chose to be asked.", role="generator", messages=PROMPT)
    return log.add(Resumed, verb="reject", text="Too long: say it in three sentences.")


THREAD = [
    {"question": "Who wrote The Little Prince?", "answer": "Antoine de **Saint-Exupéry**.", "run": "aa11"},
    {"question": "When?", "answer": "In 1942, in New York.", "run": "bb22"},
    {"question": "For whom?", "answer": "", "run": "cc33"},
    {"question": "What is the fox for, and why does he ask to be tamed " + "so very late " * 12 + "in the book?",
     "answer": "He teaches that one is responsible for what one has tamed.", "run": "dd44"},
]  # fmt: skip


def thread() -> RunView:
    """The fifth question of a conversation."""
    origin = {"parent_run": "dd44", "relation": "continue", "request": {"history": THREAD}}
    log = Log("reflection", REFLECTION, **origin).node("generate", 1).call("c1", "generate", "generator").at(2)
    return log.write("c1", "Because the fox").view()


def retry_log() -> Log:
    """The server is busy and is asked again in 8 seconds; 2.4 of them have passed."""
    log = Log("reflection", REFLECTION).node("generate", 1).call("c1", "generate", "generator").at(1)
    busy = ErrorInfo(code="rate_limited", message="The server takes no more requests for now.", hint="Wait a moment.")
    log.add(CallFailed, call_id="c1", error=busy).add(Retried, call_id="c1", error=busy, attempt=2, waited=8.0)
    return log.at(3.4).add(Reading, call_id="nobody", read=0, cached=0, total=0)


def retrying() -> RunView:
    """The wait before the next attempt."""
    return retry_log().view()


def failed() -> RunView:
    """A retry after a broken stream, then a failure with partial text."""
    return failed_log().view()


def failed_log() -> Log:
    """A retry after a broken stream, then a failure with partial text."""
    log = Log("reflection", REFLECTION).node("generate", 1).call("c1", "generate", "generator")
    broken = ErrorInfo(code="stream_broken", message="The answer stopped before its end.")
    log.at(2).write("c1", "The Little").at(3).add(CallFailed, call_id="c1", error=broken)
    log.add(Retried, call_id="c1", error=broken, attempt=2, waited=2.0)
    log.at(5).call("c2", "generate", "generator").at(6).write("c2", "The Little Prince remains a treasured")
    down = ErrorInfo(
        code="backend_unreachable",
        message="Nothing answers at http://127.0.0.1:11434.",
        hint="Start Ollama, then press Resume. What had finished is kept.",
    )
    log.at(8).add(CallFailed, call_id="c2", error=down)
    return log.at(8.1).end("failed", error=down)


def stopped() -> RunView:
    """The person stopped it in mid-sentence."""
    log = reflection().call("c4", "critique", "critic").at(26).write("c4", "The fox is now doing real work in the")
    return log.at(27).end("stopped", reason="You stopped it.", answer=REVISION).view()


def ladder() -> RunView:
    """A machine of six nodes with ways back, past and around."""
    log = Log("plan", LADDER)
    order = ["plan", "retrieve", "draft", "review", "draft", "review", "plan", "retrieve", "draft", "review"]
    for step, node in enumerate([*order, "verify_every_claim", "verify_every_claim"], start=1):
        log.node(node, step)
        if step < 12:
            log.leave(node, step)
    log.add(Decision, node="review", edge="draft", reason="two claims lack a source, and the second is contradicted")
    log.add(Decision, node="review", edge="plan", reason="the plan misses the question")
    log.add(Decision, node="verify_every_claim", edge="verify_every_claim", reason="3 left")
    return log.view()


def markdown() -> RunView:
    """What a model may write: every kind of Markdown, and what must never reach the page."""
    text = (
        "# Heading\nA paragraph with `code`, **bold** and [a link](https://example.com/x).\n\n"
        "- one\n- two\n  1. nested\n\n| item | price |\n|---|---|\n| pens | 64.80 |\n\n"
        "```python\nprint('hello')\n```\n\n> quoted\n\n"
        "<script>alert(1)</script> <img src=x onerror=alert(1)> ![pixel](https://example.com/pixel.png)\n\n"
        "a lone surrogate \ud800 and a NUL \x00 stay harmless."
    )
    log = Log("reflection", REFLECTION).node("generate", 1).call("c1", "generate", "generator").at(3)
    return log.answer("c1", text, finish_reason="length").view()


SAMPLES = {
    sample.__name__: sample
    for sample in (
        reflection_live, reflection_answered, stepwise_live, react_live, react_limit,
        waiting, notes, paused_before, paused_model, paused_tool, steered, forked_live, thread, retrying,
        failed, stopped, ladder, markdown,
    )
}  # fmt: skip
