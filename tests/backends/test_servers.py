"""What may be kept of a server that a person names, and what they are told when it may not."""

import pytest

from workbench.backends.servers import Server, check_address, check_variable, checked, is_loopback, kind_of, origin
from workbench.errors import InvalidRequest

SECRET = "sk-pasted-99"


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        ("ollama", "http://lab:11434", "http://lab:11434"),
        ("ollama", " lab ", "http://lab:11434"),
        ("ollama", "lab:8080/", "http://lab:8080"),
        ("ollama", "192.168.1.20/ollama", "http://192.168.1.20:11434/ollama"),
        ("ollama", "https://ollama.com", "https://ollama.com"),
        ("ollama", "http://[::1]:11434", "http://[::1]:11434"),
        ("openai", "https://api.groq.com/openai/v1/", "https://api.groq.com/openai/v1"),
    ],
)
def test_an_address_is_kept_with_its_scheme_and_its_port(kind: str, typed: str, kept: str):
    assert check_address(kind, typed) == kept
    assert check_address(kind, kept) == kept


@pytest.mark.parametrize(
    "address", ["", "lab:1234/v1", "ftp://lab/v1", "http://", "http://[::1/v1", "http://lab:x/v1", "http://a b/v1"]
)
def test_what_is_no_address_is_refused_with_an_example(address: str):
    with pytest.raises(InvalidRequest, match="not an address") as caught:
        check_address("openai", address)
    assert "https://" in caught.value.hint


@pytest.mark.parametrize("kind", ["ollama", "openai"])
@pytest.mark.parametrize(
    "address",
    [
        f"https://me:{SECRET}@lab/v1",
        f"https://{SECRET}@lab/v1",
        f"https://lab/v1?api_key={SECRET}",
        f"https://lab/v1#{SECRET}",
        f"me:{SECRET}@lab",
        f"lab?key={SECRET}",
    ],
)
def test_an_address_with_a_secret_in_it_is_refused_without_repeating_it(kind: str, address: str):
    with pytest.raises(InvalidRequest) as caught:
        check_address(kind, address)
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("name", ["", "Lab", "a b", "a@b", "-a", "a" * 41, "ä", "a/b"])
def test_a_name_that_no_request_can_carry_is_refused(name: str):
    with pytest.raises(InvalidRequest, match="cannot be called"):
        checked(Server(kind="ollama", name=name, address="http://lab:1"))


@pytest.mark.parametrize("typed", ["", SECRET, "gsk_abcDEF123", "groq_api_key", "9KEY", "A-B"])
def test_a_key_in_the_place_of_a_variable_s_name_is_refused_without_repeating_it(typed: str):
    with pytest.raises(InvalidRequest, match="no name of an environment variable") as caught:
        check_variable(typed)
    assert not typed or typed not in f"{caught.value.message} {caught.value.hint}"
    with pytest.raises(InvalidRequest):
        checked(Server(kind="openai", name="a", address="https://lab/v1", key_from=f"env:{typed}"))


@pytest.mark.parametrize("key_from", ["sk-a-key-itself", "keyrings", "env:"])
def test_there_is_no_other_place_for_a_key(key_from: str):
    with pytest.raises(InvalidRequest):
        checked(Server(kind="openai", name="a", address="https://lab/v1", key_from=key_from))


def test_other_kinds_of_backends_have_no_servers():
    with pytest.raises(InvalidRequest, match="embedded"):
        checked(Server(kind="embedded", name="a", address="http://lab:1"))


@pytest.mark.parametrize("time", ["10m", "1h30m", "-1", "0", "24h", "300"])
def test_how_long_models_stay_is_kept(time: str):
    server = Server(kind="ollama", name="a", address="http://lab:1", options={"keep_alive": time})
    assert checked(server).options == {"keep_alive": time}


def test_models_may_stay_forever():
    server = Server(kind="ollama", name="a", address="http://lab:1", options={"keep_alive": "Forever"})
    assert checked(server).options == {"keep_alive": "-1"}


def test_how_long_models_stay_must_be_a_time():
    with pytest.raises(InvalidRequest, match="'a while'"):
        checked(Server(kind="ollama", name="a", address="http://lab:1", options={"keep_alive": "a while"}))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://Lab.Example:443/v1", "https://lab.example"),
        ("http://lab:80", "http://lab"),
        ("http://lab:8080/a?b", "http://lab:8080"),
        ("http://[::1]:11434/x", "http://[::1]:11434"),
        ("nonsense", ""),
        ("http://lab:x", ""),
    ],
)
def test_one_place_has_one_origin(address: str, expected: str):
    assert origin(address) == expected


def test_only_another_machine_without_https_is_in_the_open():
    at = {
        "http://127.0.0.1:1": False,
        "http://localhost:1": False,
        "http://[::1]:1": False,
        "https://lab": False,
        "http://lab:1": True,
        "http://192.168.1.2:1": True,
    }
    assert {address: Server(kind="ollama", name="a", address=address).in_the_open for address in at} == at
    assert is_loopback("127.0.0.1:11434") and not is_loopback("lab:11434")


def test_the_kind_of_a_named_server_is_its_backend_s():
    assert (kind_of("ollama@lab"), kind_of("ollama")) == ("ollama", "ollama")
