"""How the probabilities of a given text are had from llama.cpp's server: forced tokens, whole characters."""

from typing import Any

import pytest

from workbench.backends.scoring import characters, next_tokens, score
from workbench.errors import ServerFault


def piece(token: int, text: str | list[int]) -> dict[str, Any]:
    return {"id": token, "piece": text}


FOX = " 🦊".encode()
CUT = [piece(1, "The"), piece(3, list(FOX[:3])), piece(4, list(FOX[3:])), piece(5, ".")]


class Server:
    """Cuts any text into `CUT`, "a" into itself; tells of each forced token its number as its probability."""

    def __init__(self, **changes: Any) -> None:
        self.forced: list[tuple[list[int], int]] = []
        self.changes = changes

    async def __call__(self, path: str, body: dict[str, Any]) -> Any:
        match path:
            case "/apply-template":
                return {"prompt": "user: hello"}
            case "/tokenize" if body.get("with_pieces"):
                assert body["parse_special"] is False, "a text that spells a special token is no special token"
                return {"tokens": [piece(9, "a")] if body["content"] == "a" else CUT}
            case "/tokenize":
                return {"tokens": [100, 101]}
        (token, bias) = body["logit_bias"][0]
        assert path == "/completion" and bias > 1_000 and body["n_predict"] == 1
        self.forced.append((body["prompt"], token))
        top = [{"token": f"t{n}", "logprob": -float(n)} for n in range(body["n_probs"])]
        told = {"id": token, "token": "\ufffd", "logprob": -float(token), "top_logprobs": top}
        return {"completion_probabilities": [told | self.changes]} if self.changes != {"none": True} else {}


async def test_each_token_is_forced_after_those_before_it_and_a_character_counts_by_its_last():
    server = Server()
    found = await score(server, {"messages": []}, "The 🦊.", 2)
    assert [(one.token, one.logprob) for one in found] == [("The", -1.0), (" 🦊", -4.0), (".", -5.0)]
    assert "".join(one.token for one in found) == "The 🦊." and found[0].top == (("t0", 0.0), ("t1", -1.0))
    assert server.forced == [([100, 101], 1), ([100, 101, 1, 3], 4), ([100, 101, 1, 3, 4], 5)]


async def test_what_comes_next_is_what_the_model_would_say_after_the_beginning():
    server = Server()
    assert await next_tokens(server, {"messages": []}, "The 🦊.", 3) == (("t0", 0.0), ("t1", -1.0), ("t2", -2.0))
    assert server.forced == [([100, 101, 1, 3, 4, 5], 9)]
    assert len(await next_tokens(Server(), {"messages": []}, "", 2)) == 2


@pytest.mark.parametrize("changes", [{"none": True}, {"id": 77}], ids=["none told", "another token"])
async def test_a_server_that_does_not_do_as_it_is_told_is_a_fault(changes: dict[str, Any]):
    with pytest.raises(ServerFault, match="does not tell the probabilities of a given text"):
        await score(Server(**changes), {"messages": []}, "The", 1)


def test_bytes_that_never_become_a_character_stay_together():
    assert [len(group) for group in characters([piece(1, "x"), piece(2, [0xF0]), piece(3, [0x9F])])] == [1, 2]
