import json
from typing import Any


def test_labels_with_their_probabilities_for_each_line_of_standard_input(script: Any, terminal: Any) -> None:
    script([{"text": "A", "logprobs": [-0.1]}, {"text": "B", "logprobs": [-0.2]}])
    code, out, err = terminal("confidence", "classify", "I like it.", "--label", "good", "--label", "bad")
    assert (code, err) == (0, "")
    assert "I like it." in out and "1.000  good" in out and "(something else" in out


def test_a_result_as_json(script: Any, terminal: Any) -> None:
    script([{"text": "Yes", "logprobs": [-0.3]}])
    code, out, _ = terminal("confidence", "enough", "The sea is blue.", "What colour is it?", "--json")
    found = json.loads(out)
    assert code == 0 and found["found"]["shares"][0] == {"name": "Yes", "probability": 1.0}


def test_what_comes_next_in_a_chat(script: Any, terminal: Any) -> None:
    script([{"text": "moon", "logprobs": [-0.105]}])
    code, out, _ = terminal("confidence", "complete", "To the")
    assert code == 0 and "0.900  ' moon'" in out


def test_what_cannot_be_told_is_said_with_its_code(script: Any, terminal: Any) -> None:
    script([{"text": "A"}])
    code, out, err = terminal("confidence", "compare", "Paris.", "--prompt", "Of France?")
    assert (code, out) == (3, "") and "does not tell the probabilities of a given text" in err
    code, _, err = terminal("confidence", "classify", "x", "--label", "only")
    assert code == 2 and "1 labels are given" in err
    code, _, err = terminal("confidence", "classify", "x", "--label", "a", "--label", "b")
    assert code == 3 and "told no probabilities" in err
