r"""LaTeX with one backslash in a model's JSON stays LaTeX."""

import json

import pytest

from workbench.latex import kept


@pytest.mark.parametrize(
    "meant",
    [
        r"x = \frac{0.10}{2}",
        r"\beta > 0",
        r"\forall x",
        r"3 \times 4",
        r"\theta",
        r"\text{so}",
        r"\right)",
        r"a \neq b",
    ],
)
def test_a_command_that_json_would_swallow_stays(meant: str):
    written = f'{{"text": "{meant}"}}'
    assert json.loads(kept(written)) == {"text": meant}
    assert kept(kept(written)) == kept(written)


@pytest.mark.parametrize("text", ["two\nlines", "a\ttab", "new\nuse", "a\\b", "tab\tto", 'a "quote"', "\x0c", "é😀"])
def test_whatever_json_means_stays_as_it_is(text: str):
    written = json.dumps({"text": text})
    assert json.loads(kept(written)) == {"text": text}


def test_text_without_a_backslash_is_not_touched():
    assert kept('{"a": 1}') == '{"a": 1}'
