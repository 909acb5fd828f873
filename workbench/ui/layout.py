"""Where the nodes and edges of a small state machine go: layers from top to bottom, ways back and past at the sides."""

import textwrap
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from workbench.events import Graph

START, END = "__start__", "__end__"
WIDTH = 250.0
NODE_HEIGHT = 38.0
WIDEST, NARROWEST = 130.0, 84.0
GAP = 48.0  # between two layers
TIGHT_GAP, TIGHT_FROM = 34.0, 7  # and in machines of many layers
EDGE_OF_PAGE = 8.0
LANE = 17.0  # from a column to its first lane, and from lane to lane
TRUNK = 15.0  # how far edges that fan out run together
NAME_CHAR, LABEL_CHAR = 7.8, 6.3  # widths of a character; generous, since the font is the person's own
LABEL_CHARS, FEWEST_CHARS = 14, 5
LABEL_LINES = 2
LINE = 13.0
BESIDE = 5.0  # between a line and its label

Way = tuple[str, str]
Point = tuple[float, float]
Side = int  # -1 left, 1 right


@dataclass(frozen=True)
class Box:
    """A node's place: centre and size."""

    x: float
    y: float
    width: float
    height: float

    def side(self, side: Side) -> float:
        """The x of its left (-1) or right (1) edge."""
        return self.x + side * self.width / 2

    def end(self, direction: Side) -> float:
        """The y of its upper (-1) or lower (1) edge."""
        return self.y + direction * self.height / 2


@dataclass(frozen=True)
class Route:
    """An edge's corners in order, and where its label's lines go."""

    points: tuple[Point, ...]
    lines: tuple[str, ...] = ()
    label_at: Point = (0.0, 0.0)
    anchor: str = "start"


@dataclass(frozen=True)
class Lane:
    """A vertical line beside the columns: on which side, how far out, from where to where."""

    side: Side
    index: int
    upper: float
    lower: float


@dataclass
class Layout:
    """A graph laid out in a width of 250: `boxes`, `routes` and `height` are the result.

    `labels` are what the edges say, wrapped and shortened to the room there is; `counts` follow them, never shortened.
    """

    graph: Graph
    labels: Mapping[Way, str] = field(default_factory=dict)
    counts: Mapping[Way, str] = field(default_factory=dict)

    @cached_property
    def ways(self) -> list[Way]:
        """The edges, each once."""
        return list(dict.fromkeys((edge.source, edge.target) for edge in self.graph.edges))

    @cached_property
    def names(self) -> list[str]:
        """All nodes, in the graph's order."""
        ends = (name for way in self.ways for name in way)
        return list(dict.fromkeys([*(node.name for node in self.graph.nodes), *ends]))

    @cached_property
    def backward(self) -> set[Way]:
        """The edges that lead back to where a walk from the start has been, self-loops among them."""
        found: set[Way] = set()
        seen: set[str] = set()

        def walk(name: str, path: tuple[str, ...]) -> None:
            seen.add(name)
            for target in (t for s, t in self.ways if s == name):
                if target in (*path, name):
                    found.add((name, target))
                elif target not in seen:
                    walk(target, (*path, name))

        for name in sorted(self.names, key=lambda name: name != START):
            if name not in seen:
                walk(name, ())
        return found

    @cached_property
    def layer(self) -> dict[str, int]:
        """Each node's layer: one more than the deepest node before it, the end below all."""
        forward = [way for way in self.ways if way not in self.backward]
        depth = dict.fromkeys(self.names, 0)
        for _ in self.names:
            for source, target in forward:
                depth[target] = max(depth[target], depth[source] + 1)
        if END in depth:
            depth[END] = max((d for name, d in depth.items() if name != END), default=0) + 1
        return depth

    @cached_property
    def rows(self) -> list[list[str]]:
        """The nodes of each layer, from left to right."""
        deepest = max(self.layer.values(), default=-1)
        rows = [[name for name in self.names if self.layer[name] == depth] for depth in range(deepest + 1)]
        return [row for row in rows if row]

    @cached_property
    def boxes(self) -> dict[str, Box]:
        """Where every node stands."""
        return {name: Box(self._x[name], self._y[name], *self._size(name)) for name in self.names}

    @cached_property
    def routes(self) -> dict[Way, Route]:
        """How every edge runs."""
        return {
            way: self._aside(way, self._lanes[way]) if way in self._lanes else self._direct(way) for way in self.ways
        }

    @cached_property
    def height(self) -> float:
        """How tall it is."""
        return max((box.end(1) for box in self.boxes.values()), default=0.0) + EDGE_OF_PAGE

    @cached_property
    def _wide(self) -> bool:
        """Whether nodes stand side by side anywhere; then labels go inside the lanes."""
        return any(len(row) > 1 for row in self.rows)

    @cached_property
    def _y(self) -> dict[str, float]:
        gap = TIGHT_GAP if len(self.rows) >= TIGHT_FROM else GAP
        at: dict[str, float] = {}
        edge = EDGE_OF_PAGE
        for row in self.rows:
            height = max(self._tall(name) for name in row)
            at |= dict.fromkeys(row, edge + height / 2)
            edge += height + (TIGHT_GAP if START in row else gap)
        return at

    @staticmethod
    def _tall(name: str) -> float:
        return {START: 12.0, END: 18.0}.get(name, NODE_HEIGHT)

    def _side(self, way: Way) -> Side:
        """On which side an edge runs past the columns; 0 for one that goes straight down."""
        source, target = way
        if way in self.backward:
            row = self.rows[self.layer[source]] if source in self.layer else []
            return -1 if len(row) > 1 and row.index(source) < len(row) / 2 else 1
        return 0 if self.layer[target] - self.layer[source] == 1 or self._through(way) else -1

    def _through(self, way: Way) -> bool:
        """Whether an edge over several layers can go down between two columns."""
        between = self.rows[self.layer[way[0]] + 1 : self.layer[way[1]]]
        alone = all(len(self.rows[self.layer[name]]) == 1 for name in way)
        return alone and way not in self.backward and bool(between) and all(len(row) % 2 == 0 for row in between)

    @cached_property
    def _lanes(self) -> dict[Way, Lane]:
        """The edges at the sides, short ones nearest, none upon another."""
        lanes: dict[Way, Lane] = {}
        aside = [way for way in self.ways if self._side(way)]
        for way in sorted(aside, key=lambda way: abs(self.layer[way[0]] - self.layer[way[1]])):
            ends = sorted((self._port(way, 0), self._port(way, 1)))
            taken = {
                lane.index
                for lane in lanes.values()
                if lane.side == self._side(way) and lane.upper < ends[1] and ends[0] < lane.lower
            }
            index = next(i for i in range(len(lanes) + 1) if i not in taken)
            lanes[way] = Lane(self._side(way), index, *ends)
        return lanes

    def _port(self, way: Way, end: int) -> float:
        """The y at which an edge at the side leaves (0) or meets (1) its node; clear of the node's self-loop."""
        name, y = way[end], self._y[way[end]]
        if way[0] == way[1]:
            return y + (7 if end == 0 else -7)
        looped = (name, name) in self.backward and self._side(way) == 1
        return y + (14 if end else -14) * looped

    @cached_property
    def _chars(self) -> int:
        """How long a line of a label at the side may be, so that everything fits the width."""
        for chars in range(LABEL_CHARS, FEWEST_CHARS, -1):
            if self._room(-1, chars) + self._room(1, chars) + self._column <= WIDTH:
                return chars
        return FEWEST_CHARS

    def _room(self, side: Side, chars: int) -> float:
        """What the lanes of one side take with their labels."""
        lanes = {way: lane for way, lane in self._lanes.items() if lane.side == side}
        outside = {} if self._wide else lanes
        reach = [
            (lane.index + 1) * LANE + max(map(_width, self._lines(way, chars)), default=0.0)
            for way, lane in outside.items()
        ]
        bare = [(lane.index + 1) * LANE for lane in lanes.values()]
        return EDGE_OF_PAGE / 2 + max([*bare, *(r + BESIDE for r in reach)], default=EDGE_OF_PAGE / 2)

    def _lines(self, way: Way, chars: int) -> tuple[str, ...]:
        return wrap(self.labels.get(way, ""), self.counts.get(way, ""), chars)

    @cached_property
    def _column(self) -> float:
        """The width of a node that stands alone in its layer."""
        longest = max((len(name) for name in self.names if name not in (START, END)), default=0)
        return min(max(longest * NAME_CHAR + 34, NARROWEST), WIDEST)

    def _size(self, name: str) -> tuple[float, float]:
        row = self.rows[self.layer[name]]
        if name in (START, END):
            return self._tall(name), self._tall(name)
        return (self._column if len(row) == 1 else self._share(row)), NODE_HEIGHT

    def _share(self, row: list[str]) -> float:
        """The width of a node that shares its layer."""
        left, right = self._area
        return min((right - left - self._gap(row) * (len(row) - 1)) / len(row), WIDEST)

    def _gap(self, row: list[str]) -> float:
        """Between the nodes of a layer; wider where an edge and its label go down between them."""
        depth = self.layer[row[0]]
        passed = any(self.layer[s] < depth < self.layer[t] and self._through((s, t)) for s, t in self.ways)
        return 64.0 if passed and len(row) == 2 else 14.0

    @cached_property
    def _area(self) -> Point:
        return self._room(-1, self._chars), WIDTH - self._room(1, self._chars)

    @cached_property
    def _x(self) -> dict[str, float]:
        left, right = self._area
        centre = (
            (left + right) / 2 if self._wide else min(max(WIDTH / 2, left + self._column / 2), right - self._column / 2)
        )
        at: dict[str, float] = {}
        for row in self.rows:
            step = self._share(row) + self._gap(row) if len(row) > 1 else 0.0
            at |= {name: centre + (i - (len(row) - 1) / 2) * step for i, name in enumerate(row)}
        return at

    def _direct(self, way: Way) -> Route:
        """Straight down, or down, across and down."""
        source, target = self.boxes[way[0]], self.boxes[way[1]]
        start, finish = (source.x, source.end(1)), (target.x, target.end(-1))
        if abs(source.x - target.x) < 1:
            return self._labelled(way, (start, finish), source.x, start[1], finish[1])
        if way[1] == END:
            side = 1 if source.x > target.x else -1
            return self._labelled(
                way, (start, (source.x, target.y), (target.side(side), target.y)), source.x, start[1], target.y
            )
        fans_out = len(self.rows[self.layer[way[0]]]) == 1
        turn = start[1] + TRUNK if fans_out else finish[1] - TRUNK
        points = (start, (source.x, turn), (target.x, turn), finish)
        x, ends = (target.x, (turn, finish[1])) if fans_out else (source.x, (start[1], turn))
        return self._labelled(way, points, x, *ends)

    def _labelled(self, way: Way, points: tuple[Point, ...], x: float, upper: float, lower: float) -> Route:
        """A label right of the vertical piece at `x`, no longer than what is free there."""
        others = [box.x for box in self.boxes.values() if box.x > x + 1 and upper - 1 <= box.end(-1) <= lower + 1]
        lanes = [
            self._lane_x(other) for other, lane in self._lanes.items() if lane.upper < lower and upper < lane.lower
        ]
        limit = min([*others, *self._passing(x, upper, lower), *(lane for lane in lanes if lane > x), WIDTH])
        chars = int((limit - x - BESIDE - 3) / LABEL_CHAR)
        lines = self._lines(way, max(min(chars, LABEL_CHARS), FEWEST_CHARS))
        return Route(points, lines, (x + BESIDE, (upper + lower - 5) / 2), "start")

    def _passing(self, x: float, upper: float, lower: float) -> list[float]:
        """Where edges go down between two columns, right of `x`."""
        through = [(self._x[s], self._y[s], self._y[t]) for s, t in self.ways if self._through((s, t))]
        return [at for at, start, end in through if at > x + 1 and start < lower and upper < end]

    def _lane_x(self, way: Way) -> float:
        """How far out a lane runs: past every node of the layers that it passes."""
        lane = self._lanes[way]
        upper, lower = sorted(self.layer[name] for name in way)
        passed = [self.boxes[name].side(lane.side) for row in self.rows[upper : lower + 1] for name in row]
        outermost = max(passed) if lane.side == 1 else min(passed)
        return outermost + lane.side * LANE * (lane.index + 1)

    def _aside(self, way: Way, lane: Lane) -> Route:
        """Out to the lane, along it, and back in."""
        source, target, x = self.boxes[way[0]], self.boxes[way[1]], self._lane_x(way)
        leaves, meets = self._port(way, 0), self._port(way, 1)
        points = ((source.side(lane.side), leaves), (x, leaves), (x, meets), (target.side(lane.side), meets))
        outward = -lane.side if self._wide else lane.side
        lines = self._lines(way, self._chars)
        return Route(points, lines, (x + outward * BESIDE, (leaves + meets) / 2), "start" if outward == 1 else "end")


def wrap(label: str, count: str, chars: int) -> tuple[str, ...]:
    """A label in at most two lines of so many characters, shortened with an ellipsis, and the count after it, whole."""
    narrow = max(int(chars * len(label) / max(_units(label), 1)), 2)
    pieces = textwrap.wrap(label, narrow, max_lines=LABEL_LINES, placeholder="…", break_long_words=False)
    lines = [piece if len(piece) <= narrow else piece[: narrow - 1].rstrip("…") + "…" for piece in pieces]
    if lines and count and len(lines[-1]) + 1 + len(count) <= chars:
        lines[-1] += f" {count}"
    elif count:
        lines.append(count)
    return tuple(lines)


def _units(text: str) -> float:
    """A text's length in characters of ordinary width."""
    return sum(1.8 if unicodedata.east_asian_width(char) in "WF" else 1.0 for char in text)


def _width(text: str) -> float:
    return _units(text) * LABEL_CHAR
