"""The table of what backends do wrong names tests that there are, and all of them."""

import re
from pathlib import Path

from tests import misbehaviour


def test_the_table_names_every_test_of_this_room_once():
    here = Path(__file__)
    files = [path for path in here.parent.glob("test_*.py") if path != here]
    defined = [name for path in files for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.M)]
    named = re.findall(r"test_\w+", misbehaviour.__doc__ or "")
    assert sorted(named) == sorted(defined)
