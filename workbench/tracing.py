"""Runs as OpenTelemetry spans by the GenAI semantic conventions: run, node, model call, tool call; off by default."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as genai
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.util.re import parse_env_headers
from opentelemetry.util.types import AttributeValue

from workbench import __version__
from workbench.events import (
    AnyEvent,
    CallFailed,
    Decision,
    Delta,
    ModelAnswered,
    ModelCalled,
    NodeFinished,
    NodeStarted,
    Paused,
    Resumed,
    Retried,
    RunFinished,
    RunStarted,
    Summarised,
    ToolAnswered,
    ToolCalled,
    Warned,
)
from workbench.log import RunLog
from workbench.settings import Settings

logger = logging.getLogger(__name__)
CLOSING_SECONDS = 3.0
MOST_KEPT = 1_000  # runs whose trace may be gone on with
OURS = "second_thought"  # what the conventions have no name for
PARAMETERS = {  # of a call: what they are named on the log -> in the conventions
    "temperature": genai.GEN_AI_REQUEST_TEMPERATURE,
    "top_p": genai.GEN_AI_REQUEST_TOP_P,
    "seed": genai.GEN_AI_REQUEST_SEED,
    "max_tokens": genai.GEN_AI_REQUEST_MAX_TOKENS,
}
Keep = Callable[[str, SpanContext], None]
Attributes = Mapping[str, AttributeValue | None]


class Tracing:
    """Sends spans to where the standard OTEL variables say, from a thread of its own: no run waits for it."""

    def __init__(self, settings: Settings) -> None:
        """Set the exporter up; nothing is sent yet, and nothing global is changed."""
        resource = Resource.create({"service.name": settings.otel_service_name, "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False, span_limits=SpanLimits())
        self._exporter = _exporter(settings)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer(OURS, __version__)
        self._content = settings.otel_content.lower() in ("true", "span_only", "span_and_event")
        self._ended: dict[str, SpanContext] = {}

    def of(self, log: RunLog) -> "RunSpans":
        """Spans of what will be put on a run's log, from its start or its going on to its end or pause."""
        spans = RunSpans(self._tracer, self._content, self._ended.get(log.run_id), self._keep)
        for event in log.events:
            if isinstance(event, RunStarted):
                spans.begin(event)
        log.watch = spans.take
        return spans

    def _keep(self, run_id: str, context: SpanContext) -> None:
        """Where a run was left, should it go on."""
        self._ended[run_id] = context
        if len(self._ended) > MOST_KEPT:
            self._ended.pop(next(iter(self._ended)))

    def close(self) -> None:
        """Send what is left; a collector that does not take it in a few seconds is not waited for."""
        flushing = threading.Thread(target=self._provider.force_flush, name="traces", daemon=True)
        flushing.start()
        flushing.join(CLOSING_SECONDS)
        self._exporter.shutdown()  # ends its trying again
        self._provider.shutdown()


def _exporter(settings: Settings) -> SpanExporter:
    """Where spans go, by the standard's rules: what is said for traces goes before what is said for all."""
    if settings.otel_exporter.lower() == "console":
        return ConsoleSpanExporter()
    endpoint = settings.otel_traces_endpoint
    if not endpoint and settings.otel_endpoint:
        endpoint = settings.otel_endpoint.rstrip("/") + "/v1/traces"
    said = settings.otel_traces_headers.get_secret_value() or settings.otel_headers.get_secret_value()
    return OTLPSpanExporter(endpoint=endpoint or None, headers=parse_env_headers(said, liberal=True) or None)


class RunSpans:
    """A fold: events in order become spans that begin and end when the events say."""

    def __init__(self, tracer: Tracer, content: bool, before: SpanContext | None, keep: Keep) -> None:
        self._tracer, self._content = tracer, content
        self._links = [Link(before)] if before else []  # where the run was left
        self._keep = keep
        self._base = 0
        self._root: Span | None = None
        self._nodes: dict[tuple[str, int], list[Span]] = {}
        self._calls: dict[str, Span] = {}
        self._tools: dict[str, Span] = {}
        self._called_at: dict[str, float] = {}
        self._request: Mapping[str, Any] = {}
        self._title = ""

    def begin(self, started: RunStarted) -> None:
        """What the run is, for a run that goes on: its RunStarted is past."""
        self._request, self._title = started.request, started.machine_title

    def take(self, event: AnyEvent) -> None:
        """Take one event in. A fault of ours ends the run's trace, never the run."""
        try:
            self._take(event)
        except Exception:
            logger.exception("the trace of run %s ends here", event.run_id)
            self._root = None

    def _take(self, event: AnyEvent) -> None:
        if self._root is None and isinstance(event, RunStarted | Resumed):
            self._open(event)
        handler = getattr(self, f"_on_{event.kind}", None) if self._root is not None else None
        if handler is not None:
            handler(event)

    def end(self) -> None:
        """The run is left without an end, since the program ends: its spans end here."""
        if self._root is not None:
            at = (time.time_ns() - self._base) / 1e9
            self._finish(at, {f"{OURS}.status": "interrupted"})

    def _open(self, event: RunStarted | Resumed) -> None:
        self._base = time.time_ns() - round(event.at * 1e9)
        if isinstance(event, RunStarted):
            self.begin(event)
        attributes = {
            genai.GEN_AI_OPERATION_NAME: genai.GenAiOperationNameValues.INVOKE_AGENT.value,
            genai.GEN_AI_AGENT_NAME: self._title,
            genai.GEN_AI_AGENT_ID: self._request.get("machine"),
            genai.GEN_AI_CONVERSATION_ID: event.run_id,
            genai.GEN_AI_PROVIDER_NAME: self._request.get("backend"),
            genai.GEN_AI_REQUEST_MODEL: self._request.get("model"),
            f"{OURS}.run.id": event.run_id,
            genai.GEN_AI_INPUT_MESSAGES: self._messages([{"role": "user", "content": self._request.get("question")}]),
        }
        self._root = self._tracer.start_span(
            f"invoke_agent {self._title}",
            kind=SpanKind.INTERNAL,
            attributes=_given(attributes),
            links=self._links,
            start_time=self._moment(event.at),
        )
        self._keep(event.run_id, self._root.get_span_context())

    def _child(self, parent: Span | None, name: str, kind: SpanKind, at: float, attributes: Attributes) -> Span:
        above = parent or self._root
        assert above is not None
        context = set_span_in_context(above)
        return self._tracer.start_span(
            name, context, kind, attributes=_given(attributes), start_time=self._moment(at), record_exception=False
        )

    def _on_node_started(self, event: NodeStarted) -> None:
        attributes: Attributes = {
            f"{OURS}.node": event.node,
            f"{OURS}.step": event.step,
            f"{OURS}.attempt": event.attempt,
        }
        span = self._child(None, event.node, SpanKind.INTERNAL, event.at, attributes)
        self._nodes.setdefault((event.node, event.step), []).append(span)

    def _on_node_finished(self, event: NodeFinished) -> None:
        if spans := self._nodes.get((event.node, event.step)):
            self._end(spans.pop(0), event.at)

    def _node(self, node: str, step: int) -> Span | None:
        spans = self._nodes.get((node, step))
        return spans[-1] if spans else None

    def _on_model_called(self, event: ModelCalled) -> None:
        if event.by_person:
            return
        model = self._request.get("model", "")
        attributes: dict[str, AttributeValue | None] = {
            genai.GEN_AI_OPERATION_NAME: genai.GenAiOperationNameValues.CHAT.value,
            genai.GEN_AI_PROVIDER_NAME: self._request.get("backend"),
            genai.GEN_AI_REQUEST_MODEL: model,
            genai.GEN_AI_CONVERSATION_ID: event.run_id,
            genai.GEN_AI_REQUEST_STREAM: True,
            genai.GEN_AI_OUTPUT_TYPE: "json" if event.parameters.get("json_schema") else "text",
            **{name: event.parameters.get(ours) for ours, name in PARAMETERS.items()},
            genai.GEN_AI_INPUT_MESSAGES: self._messages(event.messages),
            f"{OURS}.role": event.role,
            f"{OURS}.call.id": event.call_id,
        }
        parent = self._node(event.node, event.step)
        self._calls[event.call_id] = self._child(parent, f"chat {model}", SpanKind.CLIENT, event.at, attributes)
        self._called_at[event.call_id] = event.at

    def _on_delta(self, event: Delta) -> None:
        began = self._called_at.pop(event.call_id, None)
        if began is not None and (span := self._calls.get(event.call_id)):
            span.set_attribute(genai.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, round(event.at - began, 4))

    def _on_call_failed(self, event: CallFailed) -> None:
        if span := self._calls.pop(event.call_id, None):
            self._failed(span, event.error.code, event.error.message)
            self._end(span, event.at)

    def _on_model_answered(self, event: ModelAnswered) -> None:
        if span := self._calls.pop(event.call_id, None):
            attributes = {
                genai.GEN_AI_RESPONSE_MODEL: self._request.get("model"),
                genai.GEN_AI_RESPONSE_FINISH_REASONS: [event.finish_reason],
                genai.GEN_AI_USAGE_INPUT_TOKENS: event.prompt_tokens,
                genai.GEN_AI_USAGE_OUTPUT_TOKENS: event.completion_tokens,
                genai.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: event.cached_tokens,
                genai.GEN_AI_OUTPUT_MESSAGES: self._messages([_said(event)]),
                f"{OURS}.mean_logprob": event.mean_logprob,
            }
            span.set_attributes(_given(attributes))
            self._end(span, event.at)

    def _on_tool_called(self, event: ToolCalled) -> None:
        if event.by_person:
            return
        attributes: dict[str, AttributeValue | None] = {
            genai.GEN_AI_OPERATION_NAME: genai.GenAiOperationNameValues.EXECUTE_TOOL.value,
            genai.GEN_AI_TOOL_NAME: event.name,
            genai.GEN_AI_TOOL_CALL_ID: event.tool_id,
            genai.GEN_AI_TOOL_TYPE: "function",
            genai.GEN_AI_TOOL_CALL_ARGUMENTS: json.dumps(event.arguments) if self._content else None,
        }
        parent = self._node(event.node, event.step)
        self._tools[event.tool_id] = self._child(
            parent, f"execute_tool {event.name}", SpanKind.INTERNAL, event.at, attributes
        )

    def _on_tool_answered(self, event: ToolAnswered) -> None:
        if span := self._tools.pop(event.tool_id, None):
            if self._content:
                span.set_attribute(genai.GEN_AI_TOOL_CALL_RESULT, event.result)
            if event.error:
                self._failed(span, "tool_error", event.result if self._content else "The tool said what was wrong.")
            self._end(span, event.at)

    def _on_run_finished(self, event: RunFinished) -> None:
        assert self._root is not None
        attributes = {
            f"{OURS}.status": event.status,
            f"{OURS}.reason": event.reason or None,
            f"{OURS}.feedback": event.feedback,
            genai.GEN_AI_USAGE_INPUT_TOKENS: event.totals.prompt_tokens,
            genai.GEN_AI_USAGE_OUTPUT_TOKENS: event.totals.completion_tokens,
            genai.GEN_AI_OUTPUT_MESSAGES: self._messages([{"role": "assistant", "content": event.answer}]),
        }
        if event.error is not None:
            self._failed(self._root, event.error.code, event.error.message)
        self._finish(event.at, attributes)

    def _on_paused(self, event: Paused) -> None:
        self._finish(event.at, {f"{OURS}.status": "paused", f"{OURS}.reason": event.reason})

    def _on_decision(self, event: Decision) -> None:
        self._note(event.at, "decision", {f"{OURS}.edge": event.edge, f"{OURS}.reason": event.reason})

    def _on_warning(self, event: Warned) -> None:
        self._note(event.at, "warning", {f"{OURS}.code": event.code, f"{OURS}.message": event.message})

    def _on_summarised(self, event: Summarised) -> None:
        sizes = {"tokens_before": event.tokens_before, "tokens_after": event.tokens_after}
        told = {"left_out": len(event.left_out), **sizes}
        self._note(event.at, "summary", {f"{OURS}.{name}": value for name, value in told.items()})

    def _on_retried(self, event: Retried) -> None:
        self._note(event.at, "retry", {ERROR_TYPE: event.error.code, f"{OURS}.attempt": event.attempt})

    def _finish(self, at: float, attributes: Attributes) -> None:
        """End what is still open, the run last."""
        nodes = [span for spans in self._nodes.values() for span in spans]
        for span in (*self._calls.values(), *self._tools.values(), *nodes):
            self._end(span, at)
        self._calls, self._tools, self._nodes = {}, {}, {}
        if self._root is not None:
            self._root.set_attributes(_given(attributes))
            self._end(self._root, at)
        self._root = None

    def _note(self, at: float, name: str, attributes: Mapping[str, AttributeValue]) -> None:
        """An event of the node that runs, or of the run."""
        span = next((spans[-1] for spans in reversed(self._nodes.values()) if spans), self._root)
        if span is not None:
            span.add_event(name, attributes, self._moment(at))

    def _end(self, span: Span | None, at: float) -> None:
        if span is not None:
            span.end(self._moment(at))

    def _failed(self, span: Span, code: str, message: str) -> None:
        span.set_attribute(ERROR_TYPE, code)
        span.set_status(Status(StatusCode.ERROR, message))

    def _messages(self, messages: Any) -> str | None:
        """Messages as the conventions write them; what people and models say is left out unless it is asked for."""
        if not self._content:
            return None
        return json.dumps([_message(message) for message in messages])

    def _moment(self, at: float) -> int:
        return self._base + round(at * 1e9)


def _said(event: ModelAnswered) -> dict[str, Any]:
    calls = [call.model_dump() for call in event.tool_calls]
    said = {"role": "assistant", "content": event.text, "finish_reason": event.finish_reason}
    return said | ({"tool_calls": calls} if calls else {})


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if message.get("content"):
        kind = "tool_call_response" if message.get("role") == "tool" else "text"
        field = "response" if kind == "tool_call_response" else "content"
        parts.append({"type": kind, field: message["content"]})
    parts += [
        {"type": "tool_call", "id": call["id"], "name": call["name"], "arguments": call["arguments"]}
        for call in message.get("tool_calls", ())
    ]
    rest = {"finish_reason": message["finish_reason"]} if "finish_reason" in message else {}
    return {"role": message.get("role", "user"), "parts": parts, **rest}


def _given(attributes: Attributes) -> dict[str, AttributeValue]:
    """The attributes that have a value."""
    return {name: value for name, value in attributes.items() if value is not None}
