r"""LaTeX in JSON as small models write it: `\frac` with one backslash, which JSON reads as a form feed and `rac`."""

import re

_SWALLOWED = re.compile(r"(?<!\\)((?:\\\\)*)\\(?=[fb][a-z]|t(?:imes|ext\{|heta|frac)|r(?:ight|ho\b)|n(?:eq\b|abla))")


def kept(text: str) -> str:
    r"""JSON text in which such backslashes are doubled, so that the command stays.

    Only what a model never means otherwise: a form feed or backspace before a letter, and a few commands that begin
    as a tab or a line break does. `\nu` could be a new line, and stays one.
    """
    return _SWALLOWED.sub(r"\1\\\\", text) if "\\" in text else text
