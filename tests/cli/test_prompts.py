"""`prompts` in the terminal: the library without a browser."""

import json
from pathlib import Path

import pytest

from tests.cli.typing import Script, Terminal
from workbench import prompts
from workbench.job import first_request
from workbench.settings import load
from workbench.store.database import Database
from workbench.store.prompts import PromptStore
from workbench.store.runs import RunStore

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


def test_a_version_is_named_and_tagged_and_found_by_both(terminal: Terminal, tmp_path: Path):
    file = tmp_path / "critic.txt"
    file.write_text("Judge tersely.")
    terminal("prompts", "save", *ROLE, str(file))
    assert terminal("prompts", "name", *ROLE, "1", "terse")[1] == "reflection essay_critic: version 1 · terse\n"
    said = "reflection essay_critic: version 1 · terse #short #old\n"
    assert terminal("prompts", "tag", *ROLE, "terse", "short", "old") == (0, said, "")
    assert terminal("prompts", "show", *ROLE, "short")[1] == "Judge tersely.\n"
    assert terminal("prompts", "tag", *ROLE, "short")[1] == "reflection essay_critic: version 1 · terse\n"
    assert terminal("prompts", "name", *ROLE, "terse", "")[1] == "reflection essay_critic: version 1\n"
    for wrong in (("name", *ROLE, "built-in", "mine"), ("name", *ROLE, "1", "default"), ("tag", *ROLE, "1", "v2")):
        code, out, err = terminal("prompts", *wrong)
        assert (code, out) == (2, "") and err.strip()


@pytest.mark.parametrize("ref", ["1", "v1", "terse", "short", "file:critic.txt", "critic.txt", "./critic.txt"])
def test_a_run_takes_a_version_or_a_file(
    terminal: Terminal, script: Script, store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ref: str
):
    library = PromptStore(store.database)
    library.save("direct", "system", "Be terse.")
    library.rename("direct", "system", 1, "terse")
    library.tag("direct", "system", 1, ["short"])
    (tmp_path / "critic.txt").write_text("Be terse.")
    monkeypatch.chdir(tmp_path)
    script(["Four."])
    assert terminal("run", "direct", "What is 2 + 2?", "--prompt", f"system={ref}")[0] == 0
    assert first_request(store.events(store.runs()[0].id)).prompts == {"system": "Be terse."}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("system=nothing", "There is no version 'nothing' of system of direct."),
        ("system=./nothing.txt", "nothing.txt cannot be read"),
        ("poet=1", "direct has no role 'poet'"),
        ("system", "names no version"),
    ],
)
def test_a_prompt_that_is_neither_version_nor_file_is_said(
    terminal: Terminal, script: Script, store: RunStore, given: str, says: str
):
    script(["Four."])
    code, _, err = terminal("run", "direct", "What is 2 + 2?", "--prompt", given)
    assert code == 2 and says in err and store.count() == 0


def test_a_file_comes_before_a_version_of_its_name(
    terminal: Terminal, script: Script, store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    PromptStore(store.database).save("direct", "system", "Of the library.")
    (tmp_path / "1").write_text("Of the file.")
    monkeypatch.chdir(tmp_path)
    for ref, words in (("1", "Of the file."), ("v1", "Of the library.")):
        script(["Four."])
        assert terminal("run", "direct", "What is 2 + 2?", "--prompt", f"system={ref}")[0] == 0
        assert first_request(store.events(store.runs()[0].id)).prompts == {"system": words}


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
