import html
import itertools
import random
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest

from tests.ui import samples
from workbench.events import Graph, GraphEdge, GraphNode, RunView
from workbench.ui.diagram import diagram_svg, graph_svg, short
from workbench.ui.layout import WIDTH, Layout, wrap

SHAPES = {
    "reflection": samples.REFLECTION,
    "react": samples.REACT,
    "stepwise": samples.STEPWISE,
    "ladder": samples.LADDER,
    "parallel": samples.graph(
        {"a": "generator", "b": "generator", "c": "generator", "vote": "critic"},
        "start a", "start b", "start c", "a vote", "b vote", "c vote", "vote end",
    ),
    "alone": samples.graph({"only": "generator"}, "start only", "only end"),
}  # fmt: skip


def random_graph(seed: int) -> Graph:
    """A connected machine of 2 to 8 nodes with ways back, past and around."""
    draw = random.Random(seed)
    names = [f"node_{n}" for n in range(draw.randint(2, 8))]
    chain = ["__start__", *names, "__end__"]
    extra = [(draw.choice(names), draw.choice([*names, "__end__"])) for _ in range(draw.randint(0, 5))]
    ways = dict.fromkeys([*itertools.pairwise(chain), *extra])
    return Graph(
        nodes=tuple(GraphNode(name=name, role="critic") for name in names),
        edges=tuple(GraphEdge(source=s, target=t, conditional=True) for s, t in ways),
    )


def parse(svg: str) -> ElementTree.Element:
    """The drawing as a browser's XML parser reads it: broken markup fails here."""
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in parse(svg).iter("text")]


def titles(svg: str) -> list[str]:
    return [title.text or "" for title in parse(svg).iter("title")]


def edge(svg: str, words: str) -> ElementTree.Element:
    """The one edge whose title begins with these words."""
    groups = [g for g in parse(svg).iter("g") if "wb-edge " in f"{g.get('class')} "]
    (found,) = [g for g in groups if (g.findtext("title") or "").startswith(words)]
    return found


@pytest.mark.parametrize("graph", [*SHAPES.values(), *map(random_graph, range(40))])
def test_nodes_stand_within_the_drawing_and_never_upon_each_other(graph: Graph):
    layout = Layout(graph)
    boxes = list(layout.boxes.values())
    for number, box in enumerate(boxes):
        assert box.side(-1) >= 0 and box.side(1) <= WIDTH
        assert box.end(-1) >= 0 and box.end(1) <= layout.height
        for other in boxes[number + 1 :]:
            apart = abs(box.x - other.x) >= (box.width + other.width) / 2
            assert apart or abs(box.y - other.y) >= (box.height + other.height) / 2


@pytest.mark.parametrize("graph", [*SHAPES.values(), *map(random_graph, range(40))])
def test_every_edge_joins_its_nodes_and_stays_within_the_drawing(graph: Graph):
    layout = Layout(graph)
    for (source, target), route in layout.routes.items():
        first, last = route.points[0], route.points[-1]
        start, finish = layout.boxes[source], layout.boxes[target]
        assert abs(first[0] - start.x) <= start.width / 2 + 0.1 and abs(first[1] - start.y) <= start.height / 2 + 0.1
        assert abs(last[0] - finish.x) <= finish.width / 2 + 0.1 and abs(last[1] - finish.y) <= finish.height / 2 + 0.1
        for before, after in zip(route.points, route.points[1:], strict=False):
            assert before[0] == after[0] or before[1] == after[1]
        assert all(0 <= x <= WIDTH and 0 <= y <= layout.height for x, y in route.points)


@pytest.mark.parametrize("name", list(SHAPES))
@pytest.mark.parametrize(
    "label", ["revise", "the critic found that two claims lack a source", "检查每一个声明", "x" * 40]
)
def test_a_label_is_never_clipped(name: str, label: str):
    graph = SHAPES[name]
    ways = [(e.source, e.target) for e in graph.edges]
    layout = Layout(graph, dict.fromkeys(ways, label), dict.fromkeys(ways, "×12"))
    for way, route in layout.routes.items():
        assert any("×12" in line for line in route.lines), way
        width = max(sum(11.0 if ord(c) > 0x2E80 else 5.6 for c in line) for line in route.lines)
        left = route.label_at[0] - (width if route.anchor == "end" else 0)
        assert left >= -6 and left + width <= WIDTH + 6, (way, route)


def test_a_label_keeps_its_count_and_shortens_its_words():
    assert wrap("revise", "×2", 10) == ("revise ×2",)
    assert wrap("calculator", "×12", 10) == ("calculator", "×12")
    assert wrap("two claims lack a source", "×1", 8) == ("two", "claims…", "×1")
    assert wrap("", "×3", 5) == ("×3",)
    assert wrap("", "", 5) == ()


def test_the_live_node_is_lit_and_marked():
    svg = diagram_svg(samples.reflection_live())
    (here,) = [g for g in parse(svg).iter("g") if "wb-here" in (g.get("class") or "")]
    assert here.findtext("text") == "critique ●" and "wb-critic" in (here.get("class") or "")
    assert "State machine of Reflection: now at critique" in titles(svg)


def test_a_paused_node_is_marked_in_another_way():
    assert "critique ‖" in texts(diagram_svg(samples.paused_before()))
    svg = diagram_svg(samples.paused_model())  # within the node, which has begun
    (here,) = [g for g in parse(svg).iter("g") if "wb-waits" in (g.get("class") or "")]
    assert here.findtext("text") == "critique ‖" and "waiting for you" in (here.findtext("title") or "")
    assert "State machine of Reflection: waiting for you before critique" in titles(svg)
    assert "wb-waits" not in diagram_svg(samples.steered()) and "running now" not in svg


def test_a_node_whose_newest_card_is_not_on_the_page_leads_to_the_way_there():
    links = [link.get("href") for link in parse(diagram_svg(samples.reflection_live(), first=3)).iter("a")]
    assert links == ["#earlier", "#entry-3"]


def test_taken_edges_are_solid_with_their_count_and_the_others_dashed():
    svg = diagram_svg(samples.reflection_live())
    assert "wb-taken wb-generator" in (edge(svg, "generate to critique, taken 2 times").get("class") or "")
    assert "wb-taken wb-critic" in (edge(svg, "critique to generate, taken 1 time: revise").get("class") or "")
    assert "wb-untaken" in (edge(svg, "critique to end, not taken").get("class") or "")
    assert "revise ×1" in texts(svg)


def test_a_long_reason_is_short_on_its_edge_and_whole_in_its_title():
    svg = diagram_svg(samples.ladder())
    reason = "two claims lack a source, and the second is contradicted"
    assert any(title.endswith(reason) for title in titles(svg))
    assert not any("contradicted" in text for text in texts(svg))
    assert short(reason) == "two claims lack a source"
    assert short("revise") == "revise"


@pytest.mark.parametrize("name", ["__end__", "end", "finish"])
def test_a_decision_for_the_end_is_found_whatever_its_name(name: str):
    log = samples.Log("reflection", samples.REFLECTION)
    view = log.add(samples.Decision, node="critique", edge=name, reason="accept").view()
    assert edge(diagram_svg(view), "critique to end, not taken: accept") is not None


def test_a_node_leads_to_its_latest_card_and_one_without_leads_nowhere():
    view = samples.reflection_live()
    links = {a.get("href"): (a.get("aria-label") or "") for a in parse(diagram_svg(view)).iter("a")}
    assert links["#entry-2"].startswith("generate, generator, visited 2 times")
    assert links["#entry-3"].startswith("critique, critic, visited 2 times, running now")
    assert not list(parse(graph_svg(samples.REFLECTION)).iter("a"))


def test_the_end_leads_to_the_answer_once_there_is_one():
    svg = diagram_svg(samples.reflection_answered())
    assert 'href="#answer"' in svg and "wb-reached" in svg
    assert "wb-reached" not in diagram_svg(samples.reflection_live())


def test_the_ends_are_no_rectangles():
    drawing = parse(graph_svg(samples.REFLECTION))
    assert len(list(drawing.iter("rect"))) == 2 and len(list(drawing.iter("circle"))) == 3


def test_it_says_what_it_is_to_those_who_do_not_see_it():
    svg = parse(diagram_svg(samples.reflection_live())).find("svg")
    assert svg is not None and svg.get("role") == "group" and "now at critique" in (svg.get("aria-label") or "")
    before = parse(graph_svg(samples.REFLECTION)).find("svg")
    assert before is not None and before.get("role") == "group" and before.findtext("title") == "State machine"


@pytest.mark.parametrize("sample", list(samples.SAMPLES.values()), ids=list(samples.SAMPLES))
def test_every_edge_says_where_it_leads_and_how_often_it_was_taken(sample: Callable[[], RunView]):
    view = sample()
    assert view.started is not None
    assert named_edges(diagram_svg(view)) == named_edges_of(view.started.graph, view.edge_counts)


def test_before_a_run_every_edge_says_that_it_was_not_taken():
    assert named_edges(graph_svg(samples.REFLECTION)) == [
        "critique to end, not taken",
        "critique to generate, not taken",
        "generate to critique, not taken",
        "generate to end, not taken",
        "start to generate, not taken",
    ]


def named_edges(svg: str) -> list[str]:
    """The edges' names as a screen reader reads them and the mouse shows them, without the routers' reasons."""
    groups = [g for g in parse(svg).iter("g") if (g.get("class") or "").startswith("wb-edge ")]
    assert all(g.get("role") == "img" and g.get("aria-label") == g.findtext("title") for g in groups)
    return sorted((g.get("aria-label") or "").partition(":")[0] for g in groups)


def named_edges_of(graph: Graph, counts: dict[tuple[str, str], int]) -> list[str]:
    words = {"__start__": "start", "__end__": "end"}
    said = {0: "not taken", 1: "taken 1 time"}
    found = []
    for edge in graph.edges:
        source, target = (words.get(name, name.replace("_", " ")) for name in (edge.source, edge.target))
        taken = counts.get((edge.source, edge.target), 0)
        found.append(f"{source} to {target}, {said.get(taken, f'taken {taken} times')}")
    return sorted(found)


def test_no_graph_draws_nothing():
    assert diagram_svg(RunView()) == "" and graph_svg(Graph()) == ""


def test_markup_in_names_and_reasons_stays_text():
    graph = samples.graph({"<b>": "critic"}, "start <b>", "<b> end")
    view = samples.Log("x", graph, machine_title="<i>").view()
    view.apply(samples.Decision(run_id="r", seq=1, at=0, node="<b>", edge="__end__", reason="a\n\n</svg><script>"))
    svg = diagram_svg(view)
    parse(svg)
    assert "<script>" not in svg and html.escape("</svg><script>") in svg


def test_it_is_one_line_since_a_blank_one_would_end_markdown_s_html():
    view = samples.Log("x", samples.REFLECTION).view()
    view.apply(samples.Decision(run_id="r", seq=1, at=0, node="critique", edge="generate", reason="a\n\n# b"))
    assert "\n" not in diagram_svg(view)
    assert re.match("<div ", diagram_svg(view))
