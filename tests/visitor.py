"""A browser tab without a browser: speaks Streamlit's protocol, and keeps what would stand on the page."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import StringArray
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

PATIENCE = 120.0  # a busy machine is slow, not wrong
Place = tuple[int, ...]


class Visitor:
    """One tab of one person, with a session of its own. `on_text` is told each drawn text and when it came."""

    def __init__(self, port: int, on_text: Callable[[float, str], None] = lambda at, text: None) -> None:
        self.query = ""
        self.received = 0  # bytes
        self._port, self._on_text = port, on_text
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._texts: dict[Place, tuple[int, str]] = {}  # with the number of the script run that drew it
        self._widgets: dict[Place, tuple[int, str]] = {}
        self._script_run = 0
        self._page_hash = ""
        self._asked = self._running = False
        self._news = asyncio.Event()

    async def __aenter__(self) -> "Visitor":
        """Connect."""
        address = f"ws://localhost:{self._port}/_stcore/stream"
        self._socket = await connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None, proxy=None)
        self._reader = asyncio.create_task(self._read(self._socket))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close the tab."""
        assert self._socket and self._reader
        await self._socket.close()
        await self._reader

    async def open(self, query: str = "") -> None:
        """Load the bench at an address, such as `run=ID`, and wait until it stands."""
        self.query = query
        await self._rerun()
        await self.until_idle()

    async def ask(self, machine: str, question: str) -> None:
        """Choose a machine by its title, type a question and press Run; wait until the run has its address."""
        await self._rerun(WidgetState(id=self._widget("machine"), string_array_value=StringArray(data=[machine])))
        await self.until_idle()
        typed = WidgetState(id=self._widget("question"), string_value=question)
        await self._rerun(typed, WidgetState(id=self._widget("run-button"), trigger_value=True))
        await self.until(lambda: bool(self.run_id))

    async def press(self, key: str) -> None:
        """Press the button of this key."""
        await self._rerun(WidgetState(id=self._widget(key), trigger_value=True))

    async def until_idle(self) -> None:
        """Wait until the page is drawn to its end; that of a run in progress is once the run has ended."""
        await self.until(lambda: not (self._asked or self._running))

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until it is so, looking again at whatever arrives. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                assert self._reader and not self._reader.done(), "the app closed the connection"
                self._news.clear()
                await self._news.wait()

    @property
    def run_id(self) -> str:
        """The run that the address names."""
        return self.query.partition("run=")[2]

    def text(self) -> str:
        """All texts on the page from its top to its end, as HTML."""
        return "\n".join(self._texts[place][1] for place in sorted(self._texts))

    def has(self, key: str) -> bool:
        """Whether a widget of this key is on the page."""
        return any(name.endswith(f"-{key}") for _, name in self._widgets.values())

    def _widget(self, key: str) -> str:
        names = {name for _, name in self._widgets.values() if name.endswith(f"-{key}")}
        assert len(names) == 1, f"{len(names)} widgets have the key {key}"
        return names.pop()

    async def _rerun(self, *changed: WidgetState) -> None:
        assert self._socket
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_script_hash = self._page_hash
        message.rerun_script.widget_states.widgets.extend(changed)
        self._asked = True
        await self._socket.send(message.SerializeToString())

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for payload in socket:
                assert isinstance(payload, bytes)
                self.received += len(payload)
                self._take(ForwardMsg.FromString(payload), time.time())
                self._news.set()
        finally:
            self._news.set()

    def _take(self, message: ForwardMsg, at: float) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self._asked, self._running = False, True
                self._script_run += 1
                self._page_hash = message.new_session.page_script_hash
            case "page_info_changed":
                self.query = message.page_info_changed.query_string
            case "delta":
                self._draw(message, at)
            case "script_finished":
                self._running = False
                if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    self._clear_stale()

    def _draw(self, message: ForwardMsg, at: float) -> None:
        """A new element takes its place and that of all that stood in it; a block keeps what stands in it."""
        place, kind = tuple(message.metadata.delta_path), message.delta.WhichOneof("type")
        for kept in (self._texts, self._widgets):
            for old in [old for old in kept if old[: len(place)] == place and (kind == "new_element" or old == place)]:
                del kept[old]
        if kind != "new_element":
            return
        element = message.delta.new_element
        drawn = getattr(element, element.WhichOneof("type") or "empty")
        if text := getattr(drawn, "body", ""):
            self._texts[place] = self._script_run, text
            self._on_text(at, text)
        if name := getattr(drawn, "id", ""):
            self._widgets[place] = self._script_run, name

    def _clear_stale(self) -> None:
        """What the script's last run has not drawn goes from the page at its end."""
        self._texts = {place: held for place, held in self._texts.items() if held[0] == self._script_run}
        self._widgets = {place: held for place, held in self._widgets.items() if held[0] == self._script_run}
