"""The state machine as a map: where the run is, which ways it took and how often, and why."""

import re

from workbench.events import Decision, Graph, RunView
from workbench.ui.layout import END, LINE, NAME_CHAR, START, WIDTH, Box, Layout, Point, Route, Way
from workbench.ui.markdown import escape

CORNER = 9.0
SHORT = 30  # characters; of a longer reason its first clause is shown
END_NAMES = frozenset({END, "end", "END", "finish"})


def diagram_svg(view: RunView, first: int = 0) -> str:
    """The run's state machine: the live node, the edges taken with their counts, the routers' latest reasons.

    Draw it with `st.markdown(..., unsafe_allow_html=True)`: st.html strips SVG. Each node links to `#entry-N`; when
    that is a card before the `first` on the page, to `#earlier`.
    """
    return _draw(view.started.graph if view.started else Graph(), view, first)


def graph_svg(graph: Graph) -> str:
    """The state machine before a run."""
    return _draw(graph, RunView())


def _draw(graph: Graph, view: RunView, first: int = 0) -> str:
    if not graph.edges and not graph.nodes:
        return ""
    reasons = _reasons(graph, view)
    counts = {way: f"×{n}" for way, n in view.edge_counts.items() if way[0] != START}
    layout = Layout(graph, {way: short(decision.reason) for way, decision in reasons.items()}, counts)
    # Edges taken are drawn over the others, labels over the edges, nodes over all.
    ways = sorted(layout.ways, key=lambda way: way in view.edge_counts)
    edges = "".join(_edge(graph, view, way, layout.routes[way], reasons.get(way)) for way in ways)
    labels = "".join(_label(layout.routes[way], way in view.edge_counts) for way in ways)
    nodes = "".join(_node(graph, view, name, layout.boxes[name], first) for name in layout.names)
    size = f'viewBox="0 0 {WIDTH:.0f} {layout.height:.0f}" width="{WIDTH:.0f}"'
    return (  # a group, since an img would hide the names of nodes and edges from a screen reader
        f'<div class="wb-diagram"><svg {size} role="group" aria-label="{_summary(view)}">'
        f"<title>{_summary(view)}</title>{edges}{labels}{nodes}</svg></div>"
    )


def short(reason: str) -> str:
    """A reason as a label: all of a short one, the first clause of a long one."""
    flat = " ".join(reason.split())
    return flat if len(flat) <= SHORT else re.split(r"[,;:.(]\s|\s[–—]\s", flat, maxsplit=1)[0]


def _reasons(graph: Graph, view: RunView) -> dict[Way, Decision]:
    """Each edge's latest decision, whatever name its router has for the end."""
    ways = {(edge.source, edge.target) for edge in graph.edges}
    found: dict[Way, Decision] = {}
    for decision in view.decisions:
        target = END if decision.edge in END_NAMES and (decision.node, decision.edge) not in ways else decision.edge
        found[decision.node, target] = decision
    return {way: decision for way, decision in found.items() if way in ways}


def _summary(view: RunView) -> str:
    """The diagram in a sentence."""
    title = f"State machine of {view.started.machine_title}" if view.started else "State machine"
    if view.paused is not None:
        return escape(f"{title}: waiting for you before {_words(view.paused.node)}")
    where = ", ".join(map(_words, view.live_nodes))
    return escape(f"{title}: now at {where}" if where else title)


def _edge(graph: Graph, view: RunView, way: Way, route: Route, decision: Decision | None) -> str:
    taken = view.edge_counts.get(way, 0)
    role = _role(graph, way[1] if way[0] == START else way[0])
    times = f", taken {taken} time{'s' if taken != 1 else ''}" if taken else ", not taken"
    why = f": {decision.reason}" if decision else ""
    title = escape(f"{_words(way[0])} to {_words(way[1])}{times}{why}".replace("\n", " "))
    kind, line = "wb-taken" if taken else "wb-untaken", _path(route.points)
    return (  # the unseen wide line lets the mouse find a thin or dashed one, and with it the name
        f'<g class="wb-edge {kind} wb-{role}" role="img" aria-label="{title}"><title>{title}</title>'
        f'<path class="wb-reach" d="{line}"></path><path d="{line}"></path>'
        f'<path class="wb-head" d="{_arrow(*route.points[-2:])}"></path></g>'
    )


def _label(route: Route, taken: bool) -> str:
    """An edge's label, its lines around the edge's middle; drawn over all edges, so that none strikes it through."""
    if not route.lines:
        return ""
    x, y = route.label_at
    first = y - (len(route.lines) - 1) * LINE / 2 + 3.5
    lines = "".join(
        f'<text x="{x:.1f}" y="{first + index * LINE:.1f}" text-anchor="{route.anchor}">{escape(line)}</text>'
        for index, line in enumerate(route.lines)
    )
    return f'<g class="wb-edge-label{" wb-taken" if taken else ""}">{lines}</g>'


def _node(graph: Graph, view: RunView, name: str, box: Box, first: int) -> str:
    if name == START:
        return f'<circle class="wb-start" cx="{box.x:.1f}" cy="{box.y:.1f}" r="{box.height / 2:.0f}"></circle>'
    if name == END:
        return _end(view, box)
    live, paused = name in view.live_nodes, _waits(view, name)
    mark = " ‖" if paused else " ●" if live else ""
    kind = "wb-here wb-waits" if paused else "wb-here" if live else ""
    title = _node_title(graph, view, name)
    group = (
        f'<g class="wb-node {kind} wb-{_role(graph, name)}"><title>{title}</title>'
        f'<rect x="{box.side(-1):.1f}" y="{box.end(-1):.1f}" width="{box.width:.1f}" height="{box.height:.0f}" rx="8">'
        f'</rect><text x="{box.x:.1f}" y="{box.y + 4.5:.1f}" text-anchor="middle">{escape(_fitting(name, box, mark))}'
        f"</text></g>"
    )
    entry = view.latest_entry_of(name)
    if entry is None:
        return group
    return f'<a href="#{"earlier" if entry < first else f"entry-{entry}"}" aria-label="{title}">{group}</a>'


def _waits(view: RunView, name: str) -> bool:
    """Whether the run waits for the person at this node."""
    return view.paused is not None and view.paused.node == name


def _end(view: RunView, box: Box) -> str:
    """The ring at the end; filled once the machine got there."""
    reached = any(target == END for _, target in view.edge_counts)
    ring = (
        f'<g class="wb-end{" wb-reached" if reached else ""}"><circle cx="{box.x:.1f}" cy="{box.y:.1f}" r="8"></circle>'
        f'<circle class="wb-core" cx="{box.x:.1f}" cy="{box.y:.1f}" r="4"></circle></g>'
    )
    return f'<a href="#answer" aria-label="To the answer">{ring}</a>' if view.finished else ring


def _node_title(graph: Graph, view: RunView, name: str) -> str:
    visits = view.node_visits.get(name, 0)
    parts = [_words(name)]
    if (role := _role(graph, name)) != "none":
        parts.append(role)
    parts.append(f"visited {visits} time{'s' if visits != 1 else ''}" if visits else "not visited")
    if _waits(view, name):
        parts.append("waiting for you")
    elif name in view.live_nodes:
        parts.append("running now")
    return escape(", ".join(parts))


def _fitting(name: str, box: Box, mark: str) -> str:
    """A node's name as far as its box holds it."""
    room = int((box.width - 7) / NAME_CHAR) - len(mark)
    words = _words(name)
    return (words if len(words) <= room else words[: room - 1] + "…") + mark


def _words(name: str) -> str:
    return {START: "start", END: "end"}.get(name, name.replace("_", " "))


def _role(graph: Graph, name: str) -> str:
    return next((node.role for node in graph.nodes if node.name == name), "none")


def _path(points: tuple[Point, ...]) -> str:
    """The way through the points, its corners rounded."""
    steps = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        near, far = _towards(corner, before), _towards(corner, after)
        steps.append(f"L{near[0]:.1f} {near[1]:.1f}Q{corner[0]:.1f} {corner[1]:.1f} {far[0]:.1f} {far[1]:.1f}")
    return "".join([*steps, f"L{points[-1][0]:.1f} {points[-1][1]:.1f}"])


def _towards(corner: Point, other: Point) -> Point:
    """The point on the way from a corner to another at which its rounding begins."""
    (x, y), (ox, oy) = corner, other
    length = abs(ox - x) + abs(oy - y)
    share = min(CORNER, length / 2) / length if length else 0.0
    return x + (ox - x) * share, y + (oy - y) * share


def _arrow(before: Point, tip: Point) -> str:
    """An open arrowhead at the tip, for a last piece that runs straight down or across."""
    (bx, by), (x, y) = before, tip
    if abs(x - bx) > abs(y - by):
        back = x - 7 if x > bx else x + 7
        return f"M{back:.1f} {y - 4:.1f}L{x:.1f} {y:.1f}L{back:.1f} {y + 4:.1f}"
    back = y - 7 if y > by else y + 7
    return f"M{x - 4:.1f} {back:.1f}L{x:.1f} {y:.1f}L{x + 4:.1f} {back:.1f}"
