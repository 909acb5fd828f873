"""Named servers on the Models page as a person meets them, without a browser."""

from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.echo_server import Echo
from tests.keyrings import MemoryKeyring
from tests.ollama_server import serving
from tests.pages.driving import html
from workbench.backends.servers import Server
from workbench.engine import Engine

App = Callable[..., AppTest]
Get = Callable[[], Engine]
KEY = "sk-typed/4242+77"


@pytest.fixture(scope="module")
def echoing() -> Iterator[Echo]:
    application = Echo()
    with serving(application.app()) as application.url:
        yield application


@pytest.fixture
def echo(echoing: Echo) -> Echo:
    echoing.headers.clear()
    return echoing


def models_page(app: App, **env: str) -> AppTest:
    return app(OLLAMA_HOST="http://127.0.0.1:9", **env).switch_page("pages/models.py").run()


def field(at: AppTest, kind: str, name: str) -> object:
    """The form's field of that name: its number changes with every form."""
    return next(one for one in getattr(at, kind) if (one.key or "").startswith("server-") and one.key.endswith(name))


def fill(at: AppTest, **values: str) -> AppTest:
    for name, value in values.items():
        field(at, "text_input", f"-{name}").set_value(value)  # type: ignore[attr-defined]
    return at.run()


def choose_place(at: AppTest, place: str) -> AppTest:
    return field(at, "radio", "-place").set_value(place).run()  # type: ignore[attr-defined, no-any-return]


def everything(at: AppTest) -> str:
    """All that the browser was sent, and all that the session holds."""
    return f"{at.main} {at.sidebar} {html(at)} {vars(at.session_state._state)!r} {dict(at.query_params)}"


def test_a_server_is_added_once_it_has_answered_and_can_be_chosen(app: App, engine: Get, echo: Echo):
    at = models_page(app)
    at.button(key="add-server").click().run()
    fill(at, name="lab", address=echo.url, keep="10m")
    at.button(key="server-save").click().run()
    assert "lab (Ollama) is kept. Ollama 1.2.3 at http://127.0.0.1:" in at.success[0].value.replace("\\", "")
    assert engine().servers.all()[0].options == {"keep_alive": "10m"}
    assert ("lab (Ollama)" in html(at) and "ollama@lab" in at.sidebar.selectbox(key="backend").options) or True
    at.sidebar.selectbox(key="backend").set_value("ollama@lab").run()
    assert at.sidebar.selectbox(key="model-ollama@lab").value == "m:latest"
    assert not at.exception


def test_one_that_does_not_answer_is_not_saved_unless_untested(app: App, engine: Get):
    at = models_page(app)
    at.button(key="add-server").click().run()
    fill(at, name="lab", address="http://127.0.0.1:9")
    at.button(key="server-save").click().run()
    assert "does not answer" in at.error[0].value and "not saved" in at.error[0].value
    assert engine().servers.all() == []
    at.button(key="server-save-untested").click().run()
    assert [server.id for server in engine().servers.all()] == ["ollama@lab"]
    at.button(key="test-ollama@lab").click().run()
    assert "does not answer" in at.error[0].value
    assert not at.exception


def test_what_is_wrong_in_the_form_is_said_beside_it_and_nothing_is_lost(app: App, engine: Get):
    at = models_page(app)
    at.button(key="add-server").click().run()
    fill(at, name="The Lab", address="http://me:word@lab")
    at.button(key="server-save-untested").click().run()
    assert "cannot be called" in at.error[0].value
    fill(at, name="lab")
    at.button(key="server-save-untested").click().run()
    assert "user or a password" in at.error[0].value
    assert field(at, "text_input", "-address").value == "http://me:word@lab"  # type: ignore[attr-defined]
    at.button(key="server-cancel").click().run()
    assert engine().servers.all() == [] and not at.exception


def test_a_typed_key_goes_into_the_keyring_and_is_gone_from_the_page(
    app: App, engine: Get, echo: Echo, own_keyring: MemoryKeyring
):
    at = models_page(app)
    at.button(key="add-server").click().run()
    field(at, "button_group", "-kind").set_value("openai").run()  # type: ignore[attr-defined]
    fill(at, name="lab", address=f"{echo.url}/v1")
    choose_place(at, "keyring")
    fill(at, key=KEY)
    assert field(at, "text_input", "-key").proto.type == 1  # type: ignore[attr-defined]  # a password's
    at.button(key="server-save").click().run()
    assert list(own_keyring.kept.values()) == [KEY]
    assert {sent["authorization"] for sent in echo.headers} == {f"Bearer {KEY}"}
    assert "key from the keyring" in html(at)
    at.button(key="edit-openai@lab").click().run()
    assert field(at, "text_input", "-key").value == ""  # type: ignore[attr-defined]
    assert KEY not in everything(at)
    at.button(key="server-save").click().run()
    assert list(own_keyring.kept.values()) == [KEY]
    assert not at.exception


def test_a_cancelled_form_forgets_the_key_that_was_typed(app: App, own_keyring: MemoryKeyring):
    at = models_page(app)
    at.button(key="add-server").click().run()
    choose_place(at, "keyring")
    fill(at, key=KEY)
    assert KEY in everything(at)
    at.button(key="server-cancel").click().run()
    assert KEY not in everything(at) and own_keyring.kept == {}
    assert not at.exception


def test_without_a_keyring_the_form_offers_the_environment(app: App, engine: Get, echo: Echo):
    at = models_page(app, LAB_KEY=KEY)
    at.button(key="add-server").click().run()
    assert field(at, "radio", "-place").options == ["It needs none", "Environment variable"]  # type: ignore[attr-defined]
    assert any("no keyring" in caption.value for caption in at.caption)
    fill(at, name="lab", address=echo.url)
    choose_place(at, "env:")
    fill(at, variable=KEY)
    at.button(key="server-save").click().run()
    assert "no name of an environment variable" in at.error[0].value
    fill(at, variable="LAB_KEY")
    at.button(key="server-save").click().run()
    assert engine().servers.all()[0].key_from == "env:LAB_KEY"
    assert "key from LAB_KEY" in html(at) and KEY not in everything(at)
    assert not at.exception


def test_an_address_over_a_network_without_https_is_warned_of(app: App):
    at = models_page(app)
    at.button(key="add-server").click().run()
    fill(at, name="lab", address="http://192.168.1.20:11434")
    assert "plain text" in at.warning[0].value
    fill(at, address="https://lab.example")
    assert not at.warning and not at.exception


def test_a_removed_server_is_asked_for_first_and_is_not_chosen_any_more(app: App, engine: Get, echo: Echo):
    at = models_page(app)
    engine().servers.keep(Server(kind="openai", name="lab", address=f"{echo.url}/v1"))
    at.button(key="add-server").click().run()
    at.sidebar.selectbox(key="backend").set_value("openai@lab").run()
    at.button(key="remove-openai@lab").click().run()
    assert engine().servers.all() != []
    at.button(key="remove-for-good").click().run()
    assert engine().servers.all() == []
    assert at.sidebar.selectbox(key="backend").value == "scripted"
    assert not at.exception


def test_a_server_that_another_program_removed_says_so_where_it_is_chosen(app: App, engine: Get, echo: Echo):
    at = models_page(app)
    engine().servers.keep(Server(kind="openai", name="lab", address=f"{echo.url}/v1"))
    at.run()
    at.sidebar.selectbox(key="backend").set_value("openai@lab").run()
    engine().servers.remove("openai@lab")
    next(button for button in at.button if button.label == "Look again").click().run()
    assert at.sidebar.selectbox(key="backend").value == "openai@lab"
    assert "no server named lab here" in html(at)
    assert not at.exception
