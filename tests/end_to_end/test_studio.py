"""The machines in LangGraph's own dev server, as langgraph.json names them."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents import catalogue
from workbench.settings import CHECKOUT

STARTS_WITHIN = 60.0
CONFIG = json.loads((CHECKOUT / "langgraph.json").read_text())


def test_every_machine_is_named() -> None:
    assert CONFIG["graphs"] == {name: f"./workbench/studio.py:{name}" for name in catalogue.MACHINES}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """`langgraph dev` on the checkout's own langgraph.json, with the demo script as its model."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    folder = tmp_path_factory.mktemp("studio")
    config = folder / "langgraph.json"  # the server keeps its threads beside it
    graphs = {
        name: place.replace("./", f"{CHECKOUT}/")
        for name, place in CONFIG["graphs"].items()
        if name in catalogue.MACHINES
    }
    config.write_text(json.dumps(CONFIG | {"dependencies": [str(CHECKOUT)], "graphs": graphs, "env": {}}))
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false"}
    ours = {"WORKBENCH_BACKEND": "scripted", "WORKBENCH_SCRIPT_SPEED": "0", "WORKBENCH_HOME": str(folder)}
    command = [Path(sys.executable).with_name("langgraph"), "dev", "--config", str(config), "--no-browser"]
    with (folder / "said.log").open("w") as said:
        process = subprocess.Popen(
            [*command, "--no-reload", "--port", str(port)],
            cwd=folder,
            env=os.environ | quiet | ours,
            stdout=said,
            stderr=said,
        )
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        try:
            wait_until_it_answers(client, process, folder / "said.log")
            yield client
        finally:
            client.close()
            process.terminate()
            process.wait(20)


def wait_until_it_answers(client: httpx.Client, process: subprocess.Popen[bytes], said: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until:
        assert process.poll() is None, said.read_text()
        try:
            if client.get("/ok").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(said.read_text())


@pytest.mark.parametrize("machine", catalogue.MACHINES)
def test_a_machine_answers_in_langgraphs_server(server: httpx.Client, machine: str) -> None:
    state = run(server, machine, {"question": "Why does The Little Prince still matter?"})
    assert state["answer"].strip()


@pytest.mark.parametrize("machine", catalogue.MACHINES)
def test_its_diagram_begins_with_the_question_and_has_the_machines_own_nodes(
    server: httpx.Client, machine: str
) -> None:
    (assistant,) = server.post("/assistants/search", json={"graph_id": machine}).json()
    drawn = server.get(f"/assistants/{assistant['assistant_id']}/graph").json()
    assert {node["id"] for node in drawn["nodes"]} >= {"begin", *catalogue.load(machine).nodes}
    schemas = server.get(f"/assistants/{assistant['assistant_id']}/schemas").json()
    assert list(schemas["input_schema"]["properties"]) == ["question"]


def test_its_context_chooses_the_machines_options(server: httpx.Client) -> None:
    state = run(server, "reflection", {"question": "An essay."}, context={"values": {"rounds": 1}})
    assert state["rounds"] == 1


def test_a_run_that_was_interrupted_there_goes_on(server: httpx.Client) -> None:
    thread = server.post("/threads", json={}).json()["thread_id"]
    asked: dict[str, Any] = {"assistant_id": "reflection", "context": {"values": {"rounds": 1}}}
    body = asked | {"input": {"question": "An essay."}, "interrupt_before": ["critique"]}
    first = server.post(f"/threads/{thread}/runs/wait", json=body).json()
    assert (first["answer"] != "", first["rounds"]) == (True, 0)
    last = server.post(f"/threads/{thread}/runs/wait", json=asked | {"input": None}).json()
    assert last["rounds"] == 1


def run(server: httpx.Client, machine: str, asked: dict[str, Any], **more: Any) -> dict[str, Any]:
    reply = server.post("/runs/wait", json={"assistant_id": machine, "input": asked, **more})
    assert reply.status_code == 200, reply.text
    state: dict[str, Any] = reply.json()
    assert "__error__" not in state, state["__error__"]
    return state
