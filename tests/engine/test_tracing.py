"""Runs as OpenTelemetry spans, as a real collector (rotel) gets and hands them on."""

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests import runs
from workbench import tracing
from workbench.backends.scripted import ScriptedAnswer
from workbench.request import RunRequest
from workbench.settings import Settings, load
from workbench.tracing import RunSpans

ARRIVES_WITHIN = 20.0
GZIP = b"\x1f\x8b"


@dataclass
class Collected:
    """A collector, and what it hands on."""

    endpoint: str
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)

    def wait_for(self, count: int) -> dict[str, Span]:
        """The spans by name, once there are so many."""
        until = time.monotonic() + ARRIVES_WITHIN
        while len(self.spans) < count and time.monotonic() < until:
            time.sleep(0.05)
        assert len(self.spans) == count, [span.name for span in self.spans]
        return {span.name: span for span in self.spans}


def attributes(span: Span) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        kind = value.WhichOneof("value")
        return [plain(item) for item in value.array_value.values] if kind == "array_value" else getattr(value, kind)

    return {pair.key: plain(pair.value) for pair in span.attributes}


def receiver(collected: Collected) -> ThreadingHTTPServer:
    """Where the collector hands its spans on to."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = ExportTraceServiceRequest()
            body = self.rfile.read(int(self.headers["content-length"]))
            message.ParseFromString(gzip.decompress(body) if body.startswith(GZIP) else body)
            for resource in message.resource_spans:
                collected.services |= {
                    pair.value.string_value for pair in resource.resource.attributes if pair.key == "service.name"
                }
                for scope in resource.scope_spans:
                    collected.spans += scope.spans
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Receiver)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def agent() -> Path:
    """The collector's program, without importing the package: that would start one of its own."""
    try:
        (program,) = (file for file in files("rotel") or [] if file.name == "rotel-agent")
    except PackageNotFoundError:
        pytest.skip("the collector rotel has no package for this machine")
    return Path(str(program.locate()))


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collected]:
    grpc, http = free_ports(2)
    collected = Collected(f"http://127.0.0.1:{http}")
    server = receiver(collected)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = {
        "otlp-grpc-endpoint": f"127.0.0.1:{grpc}",
        "otlp-http-endpoint": f"127.0.0.1:{http}",
        "exporter": "otlp",
        "otlp-exporter-protocol": "http",
        "otlp-exporter-endpoint": f"http://127.0.0.1:{server.server_address[1]}",
        "otlp-exporter-compression": "none",
    }
    flags = [f"--{name}={value}" for name, value in where.items()]
    with (tmp_path / "collector.log").open("w") as said:
        process = subprocess.Popen([agent(), "start", *flags], stdout=said, stderr=said)
        try:
            wait_until_it_listens(http, process)
            yield collected
        finally:
            process.terminate()
            process.wait(10)
            server.shutdown()
            server.server_close()


def wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + ARRIVES_WITHIN
    while time.monotonic() < until:
        assert process.poll() is None, "the collector has ended"
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the collector does not listen")


def traced(settings: Settings, collected: Collected, **more: Any) -> Settings:
    return settings.model_copy(update={"otel_endpoint": collected.endpoint, **more})


COUNT = 7  # spans of the run below: itself, its nodes, two calls, a tool
CALCULATES = [runs.action("calculator", "6 * 7"), runs.action("finish", "42")]


def react() -> RunRequest:
    return runs.request("react", dialect="json")


def test_a_real_collector_gets_a_runs_spans(settings: Settings, collector: Collected) -> None:
    with runs.scripted_engine(traced(settings, collector), CALCULATES) as engine:
        run_id = engine.submit(react())
        view = runs.finish(engine, run_id)[1]
    assert view.status == "answered"
    visits = sum(view.node_visits.values())
    named = collector.wait_for(1 + visits + 2 + 1)
    run, chat, tool = named["invoke_agent ReAct"], named["chat demo"], named["execute_tool calculator"]
    assert collector.services == {"second-thought"}
    assert attributes(run) | {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.conversation.id": run_id,
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "demo",
        "gen_ai.usage.output_tokens": view.totals.completion_tokens,
        "second_thought.status": "answered",
        "second_thought.feedback": "tool",
    } == attributes(run)
    assert chat.kind == Span.SPAN_KIND_CLIENT
    assert attributes(chat) | {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.seed": 7,
        "gen_ai.response.finish_reasons": ["stop"],
    } == attributes(chat)
    assert attributes(chat)["gen_ai.usage.input_tokens"] > 0
    assert attributes(tool)["gen_ai.tool.name"] == "calculator"
    assert {span.trace_id for span in collector.spans} == {run.trace_id}


def test_spans_lie_in_one_another_as_the_run_went(settings: Settings, collector: Collected) -> None:
    with runs.scripted_engine(traced(settings, collector), CALCULATES) as engine:
        view = runs.finish(engine, engine.submit(react()))[1]
    collector.wait_for(1 + sum(view.node_visits.values()) + 2 + 1)
    by_id = {span.span_id: span for span in collector.spans}

    def above(span: Span) -> list[str]:
        parent = by_id.get(span.parent_span_id)
        return [] if parent is None else [parent.name, *above(parent)]

    nodes = set(view.node_visits)
    for span in collector.spans:
        if span.name.startswith(("chat", "execute_tool")):
            node, run = above(span)
            assert (node in nodes, run) == (True, "invoke_agent ReAct")
        parent = by_id.get(span.parent_span_id)
        if parent is not None:
            assert parent.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= parent.end_time_unix_nano


def test_what_is_said_is_sent_only_when_it_is_asked_for(settings: Settings, collector: Collected) -> None:
    with runs.scripted_engine(traced(settings, collector), CALCULATES) as engine:
        runs.finish(engine, engine.submit(react()))
    collector.wait_for(COUNT)
    first = list(collector.spans)
    assert "What is 2 + 2?" not in str(first)
    collector.spans.clear()
    with runs.scripted_engine(traced(settings, collector, otel_content="true"), CALCULATES) as engine:
        runs.finish(engine, engine.submit(react()))
    named = collector.wait_for(len(first))
    asked = json.loads(attributes(named["invoke_agent ReAct"])["gen_ai.input.messages"])
    assert asked == [{"role": "user", "parts": [{"type": "text", "content": "What is 2 + 2?"}]}]
    answered = json.loads(attributes(named["invoke_agent ReAct"])["gen_ai.output.messages"])
    assert answered[0]["parts"] == [{"type": "text", "content": "42"}]
    assert attributes(named["execute_tool calculator"])["gen_ai.tool.call.result"] == "42"


def test_a_failed_run_is_an_error_and_one_that_goes_on_is_linked_to_where_it_was_left(
    settings: Settings, collector: Collected
) -> None:
    with runs.scripted_engine(traced(settings, collector), [CALCULATES[0]]) as engine:
        run_id = engine.submit(react())
        assert runs.finish(engine, run_id)[1].status == "failed"
        engine.backend("scripted")._source = lambda request: _answer(CALCULATES[1])  # type: ignore[attr-defined]
        engine.resume(run_id)
        assert runs.finish(engine, run_id)[1].status == "answered"
    until = time.monotonic() + ARRIVES_WITHIN
    while sum(span.name.startswith("invoke_agent") for span in collector.spans) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    failed, resumed = (span for span in collector.spans if span.name == "invoke_agent ReAct")
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert attributes(failed)["error.type"] == "script_exhausted"
    assert [link.span_id for link in resumed.links] == [failed.span_id]
    assert resumed.status.code == Status.STATUS_CODE_UNSET


def _answer(text: str) -> Any:
    return ScriptedAnswer(text=text)


def test_without_the_variables_nothing_is_traced(settings: Settings) -> None:
    program = "import sys, workbench.engine; print('workbench.tracing' in sys.modules)"
    with runs.scripted_engine(settings, CALCULATES) as engine:
        assert engine._tracing is None
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("variables", "is_on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_TRACES_EXPORTER": "OTLP"}, True),
        ({"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_SDK_DISABLED": "no thanks", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
    ],
)
def test_the_standard_variables_switch_it_on_and_off(variables: dict[str, str], is_on: bool) -> None:
    assert load(variables, None).is_traced is is_on


def test_a_collector_that_is_not_there_costs_no_run(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    lost = settings.model_copy(update={"otel_endpoint": f"http://127.0.0.1:{port}"})
    began = time.monotonic()
    with runs.scripted_engine(lost, CALCULATES) as engine:
        assert runs.finish(engine, engine.submit(react()))[1].status == "answered"
        assert time.monotonic() - began < 5
    assert "export" in caplog.text


def test_headers_are_decoded_and_those_for_traces_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(tracing, "OTLPSpanExporter", lambda **more: given.update(more))
    both = {"OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "Authorization=Basic%20QUJD"}
    tracing._exporter(load({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", **both}, None))
    assert given == {"endpoint": "http://127.0.0.1:1/v1/traces", "headers": {"authorization": "Basic QUJD"}}


def test_a_fault_in_tracing_ends_the_trace_and_not_the_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: RunSpans, event: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(RunSpans, "_on_model_answered", broken)
    lost = settings.model_copy(update={"otel_exporter": "console"})
    with runs.scripted_engine(lost, CALCULATES) as engine:
        assert runs.finish(engine, engine.submit(react()))[1].status == "answered"
    assert "the trace of run" in caplog.text
