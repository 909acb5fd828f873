"""`prompts` in the terminal: the library without a browser."""

import json
from pathlib import Path

from tests.cli.typing import Terminal
from workbench import prompts
from workbench.settings import load
from workbench.store.database import Database
from workbench.store.prompts import PromptStore

ROLE = ("reflection", "essay_critic")


def test_a_template_is_saved_shown_listed_and_made_the_default(terminal: Terminal, tmp_path: Path):
    file = tmp_path / "critic.txt"
    file.write_text("Judge tersely.\n")
    assert terminal("prompts", "save", *ROLE, str(file), "--note", "Short", "--author", "Ada")[:2] == (0, "1\n")
    code, out, err = terminal("prompts", "save", *ROLE, str(file))
    assert (code, out) == (0, "1\n") and "version 1 says exactly this" in err
    assert terminal("prompts", "show", *ROLE, "1") == (0, "Judge tersely.\n", "")
    assert terminal("prompts", "show", *ROLE)[1] == prompts.built_in(*ROLE).template
    assert terminal("prompts", "default", *ROLE, "1")[0] == 0
    assert terminal("prompts", "show", *ROLE)[1] == "Judge tersely.\n"
    listed = terminal("prompts", "list", "reflection")[1]
    assert "1 (default)" in listed and "Ada" in listed and "Short" in listed
    rows = [json.loads(line) for line in terminal("prompts", "list", "reflection", "--json")[1].splitlines()]
    assert [row["number"] for row in rows if row["role"] == "essay_critic"] == [1, 0]
    assert prompts.author(load().home) == "Ada"


def test_what_is_wrong_is_a_sentence_with_the_line_and_code_2(terminal: Terminal, tmp_path: Path):
    file = tmp_path / "revise.txt"
    file.write_text("$score\n$isues")
    code, out, err = terminal("prompts", "save", "reflection", "revise", str(file))
    assert (code, out) == (2, "")
    assert "line 2: $isues is not a variable of this role" in err and "Did you mean $issues?" in err
    for wrong in (("show", "muse", "x"), ("show", *ROLE, "9"), ("save", *ROLE, "none.txt"), ("export",)):
        code, out, err = terminal("prompts", *wrong)
        assert (code, out) == (2, "") and err.strip()


def test_versions_leave_as_a_file_and_come_back_once(terminal: Terminal, tmp_path: Path):
    database = Database(load().store_url)
    PromptStore(database).save(*ROLE, "Judge.")
    file = tmp_path / "prompts.yaml"
    assert terminal("prompts", "export", "-o", str(file)) == (0, "", "")
    assert terminal("prompts", "export", *ROLE)[1] == file.read_text()
    code, out, err = terminal("prompts", "import", str(file))
    assert (code, out) == (0, "") and "1 there already" in err
    file.write_text(file.read_text().replace("Judge.", "Judge again."))
    assert terminal("prompts", "import", str(file))[1] == "reflection essay_critic: version 2 added\n"
    database.close()
