"""The library of prompts: versions that stay, found by any of their names, carried as a file, safe from strangers'."""

import random
import threading
from pathlib import Path

import pytest

from tests.runs import request
from workbench import prompts
from workbench.errors import PromptError
from workbench.request import Example, Turn
from workbench.store import prompt_file
from workbench.store.prompts import PromptStore, PromptVersion
from workbench.store.runs import RunStore

CRITIC = ("reflection", "essay_critic")
REVISE = ("reflection", "revise")
HEAD = "format: 1\nprompts:\n"
EXAMPLE = Example(turns=(Turn(role="user", content="A task."), Turn(role="assistant", content='{"score": 9}')))


@pytest.fixture
def library(store: RunStore) -> PromptStore:
    return PromptStore(store.database)


def save(library: PromptStore, template: str = "Judge.", note: str = "", **more: object) -> PromptVersion:
    return library.save(*CRITIC, template, note=note, author="Ada", **more)  # type: ignore[arg-type]


def file_of(template: str = "Judge.", role: str = "essay_critic", more: str = "") -> str:
    return f"{HEAD}  - machine: reflection\n    role: {role}\n    template: {template}\n{more}"


# --- versions ---


def test_a_role_begins_with_its_built_in_version(library: PromptStore):
    (only,) = library.versions(*CRITIC)
    built_in = prompts.built_in(*CRITIC)
    assert (only.number, only.title, only.is_default) == (0, "built-in", True)
    assert (only.template, only.digest) == (built_in.template, built_in.digest)


def test_each_save_is_a_new_version_with_its_note_author_and_hash(library: PromptStore):
    first, second = save(library, "Judge.", "Short"), save(library, "Judge well.\r\n", examples=(EXAMPLE,))
    assert [one.number for one in library.versions(*CRITIC)] == [2, 1, 0]
    kept = library.versions(*CRITIC)[1]
    assert (kept.template, kept.note, kept.author, kept.title) == ("Judge.", "Short", "Ada", "version 1")
    assert kept.created_at and kept == first
    assert second.template == "Judge well." and second.examples == (EXAMPLE,)
    assert len({one.digest for one in library.versions(*CRITIC)}) == 3
    assert [one.number for one in library.versions(*REVISE)] == [0]


def test_the_same_words_are_not_saved_twice_and_that_is_said(library: PromptStore):
    first = save(library, "Judge.")
    again = save(library, "Judge.\n", "Other note")
    assert again.repeated and not first.repeated and again == first
    built_in = save(library, prompts.built_in(*CRITIC).template.rstrip())
    assert built_in.repeated and built_in.number == 0
    assert len(library.versions(*CRITIC)) == 2


def test_many_saves_at_once_get_a_number_each(library: PromptStore):
    threads = [threading.Thread(target=save, args=(library, f"Judge {number}.")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.number for one in library.versions(*CRITIC)] == [8, 7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("template", "says", "hint"),
    [
        (
            "Fine.\n$scor of 10\n$issues",
            "line 2: $scor is not a variable of this role; it has $score, $issues",
            "$score?",
        ),
        ("$score\n\n${poet} $issues", "line 3: $poet is not a variable", "$$poet"),
        ("$score\nand $issues\nfor 5$ now", "line 3: a lone $", "$$"),
        ("$score", "$issues is not in the template", "built-in has it in line 2"),
        ("$score\n{issues}", "line 2: $issues is not in the template", "$issues instead of {issues}"),
        ("$score\n$issues \x00", "line 2: it holds a character that is none", "Delete"),
        ("$score $issues \ud800", "line 1: it holds a character that is none", "Delete"),
        ("$score $issues" + "x" * 70_000, "68 KiB long; 64 KiB fit", "Shorten"),
        (" \n", "the template is empty", "Write"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused_with_its_line(
    library: PromptStore, template: str, says: str, hint: str
):
    with pytest.raises(PromptError) as refused:
        library.save(*REVISE, template)
    assert says in refused.value.message and hint in refused.value.hint
    assert refused.value.message.startswith("revise of reflection")
    assert [one.number for one in library.versions(*REVISE)] == [0]


@pytest.mark.parametrize(
    ("examples", "says"),
    [
        ([Example(turns=())], "example 1 is no exchange"),
        ([EXAMPLE, Example(turns=(Turn(role="user", content="Q"),))], "example 2 is no exchange"),
        ([Example(turns=(EXAMPLE.turns[0], Turn(role="assistant", content=" ")))], "turn 2 of example 1 is empty"),
        ([Example(turns=(Turn(role="user", content="a\n\x00"), EXAMPLE.turns[1]))], "turn 1 of example 1, line 2"),
        ([EXAMPLE] * 51, "more than 50 examples"),
    ],
)
def test_examples_that_no_model_can_be_shown_are_refused(library: PromptStore, examples: list[Example], says: str):
    with pytest.raises(PromptError, match=says):
        library.save(*CRITIC, "Judge.", examples)


def test_a_role_that_is_shown_no_examples_takes_none(library: PromptStore):
    with pytest.raises(PromptError, match="shows no examples to revise"):
        library.save(*REVISE, "$score $issues", [EXAMPLE])


# --- finding ---


def test_a_version_is_found_by_number_name_tag_hash_and_role_in_the_library(library: PromptStore):
    first, second = save(library, "Judge."), save(library, "Judge twice.")
    library.rename(*CRITIC, 1, "terse")
    library.tag(*CRITIC, 1, ["short", " short ", "old"])
    library.tag(*CRITIC, 2, ["short"])
    found = {ref: library.find(*CRITIC, ref).number for ref in ("1", "v2", "Terse", "short", "old", second.digest[:6])}
    assert found == {"1": 1, "v2": 2, "Terse": 1, "short": 2, "old": 1, second.digest[:6]: 2}
    assert {ref: library.find(*CRITIC, ref).number for ref in ("built-in", "0", "default")} == dict.fromkeys(
        ("built-in", "0", "default"), 0
    )
    assert library.by_digest(*CRITIC, first.digest) == library.versions(*CRITIC)[1]
    assert library.by_digest(*CRITIC, "0" * 12) is None


def test_what_is_not_there_is_answered_with_what_is(library: PromptStore):
    save(library)
    library.rename(*CRITIC, 1, "terse")
    with pytest.raises(PromptError) as missing:
        library.find(*CRITIC, "verbose")
    assert "verbose" in missing.value.message and missing.value.hint == "There are: 1 (terse), built-in."
    with pytest.raises(PromptError, match="no role 'poet'"):
        library.find("reflection", "poet", "1")
    with pytest.raises(PromptError, match="no machine named 'muse'"):
        library.versions("muse", "poet")


@pytest.mark.parametrize("name", ["7", "v7", "Built-in", "default", "file:x", "a\x00b", "x" * 201])
def test_a_name_that_means_something_else_is_refused(library: PromptStore, name: str):
    save(library)
    with pytest.raises(PromptError):
        library.rename(*CRITIC, 1, name)
    assert library.find(*CRITIC, "1").name == ""


def test_a_name_belongs_to_one_version_and_the_built_in_has_none(library: PromptStore):
    save(library), save(library, "Judge twice.")
    library.rename(*CRITIC, 1, "terse")
    with pytest.raises(PromptError, match="Version 1 is called 'terse'"):
        library.rename(*CRITIC, 2, "Terse")
    with pytest.raises(PromptError, match="built-in version keeps its name"):
        library.rename(*CRITIC, 0, "mine")
    with pytest.raises(PromptError, match="There is no version 9"):
        library.tag(*CRITIC, 9, ["x"])
    library.rename(*CRITIC, 1, "")
    assert library.rename(*CRITIC, 2, "terse").name == "terse"


# --- defaults and what a request says ---


def test_one_version_of_a_role_is_the_default_and_the_built_in_can_be_again(library: PromptStore):
    save(library), save(library, "Judge twice.")
    library.make_default(*CRITIC, 1)
    library.make_default(*CRITIC, 2)
    assert [one.number for one in library.versions(*CRITIC) if one.is_default] == [2]
    assert {role: one.number for role, one in library.defaults("reflection").items()} == {"essay_critic": 2}
    library.make_default(*CRITIC, 0)
    assert library.defaults("reflection") == {} and library.find(*CRITIC, "default").number == 0
    with pytest.raises(PromptError):
        library.make_default(*CRITIC, 9)


def test_a_request_gets_the_defaults_of_the_roles_that_it_does_not_name(library: PromptStore):
    save(library, "Judge.", examples=(EXAMPLE,))
    asked = request("reflection")
    assert library.filled(asked) is asked
    library.make_default(*CRITIC, 1)
    filled = library.filled(asked)
    assert filled.prompts == {"essay_critic": "Judge."} and filled.examples == {"essay_critic": (EXAMPLE,)}
    own = asked.model_copy(update={"prompts": {"essay_critic": "Mine."}})
    assert library.filled(own) is own


def test_refs_become_words_and_roles_without_one_have_their_default(library: PromptStore, tmp_path: Path):
    save(library, "Judge.", examples=(EXAMPLE,)), save(library, "Judge twice.")
    library.make_default(*CRITIC, 1)
    (tmp_path / "revise.txt").write_text("$score: $issues", encoding="utf-8")
    words, examples = library.resolve("reflection", {"revise": "file:revise.txt"}, tmp_path)
    assert words == {"revise": "$score: $issues", "essay_critic": "Judge."} and examples == {"essay_critic": (EXAMPLE,)}
    words, examples = library.resolve("reflection", {"essay_critic": "built-in"})
    assert words == {"essay_critic": prompts.built_in(*CRITIC).template} and examples == {"essay_critic": ()}
    assert library.resolve("reflection", {"essay_critic": "2"})[0] == {"essay_critic": "Judge twice."}


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("file:none.txt", "none.txt cannot be read"),
        ("file:bad.txt", "bad.txt, line 2: \\$poet is not a variable"),
        ("file:latin.txt", "latin.txt cannot be read"),
        ("file:\x00", "cannot be read"),
        ("file:large.txt", "too large"),
        ("nothing", "There is no version 'nothing' of revise"),
    ],
)
def test_a_ref_that_leads_nowhere_is_said_with_its_role(library: PromptStore, tmp_path: Path, ref: str, says: str):
    (tmp_path / "bad.txt").write_text("$score $issues\n$poet")
    (tmp_path / "latin.txt").write_bytes(b"\xe4")
    (tmp_path / "large.txt").write_text("x" * 70_000)
    with pytest.raises(PromptError, match=says):
        library.resolve("reflection", {"revise": ref}, tmp_path)


# --- as a file ---


def test_versions_travel_in_one_file_and_lose_nothing(library: PromptStore, tmp_path: Path):
    save(library, "  Judge.\n\n\tTwice: $$5 'n' \"quotes\" # no comment\u2028é😀", "Why", examples=(EXAMPLE,))
    library.rename(*CRITIC, 1, "terse")
    library.tag(*CRITIC, 1, ["short"])
    library.make_default(*CRITIC, 1)
    library.save(*REVISE, "$score\n  $issues", author="Bob")
    text = library.export("reflection")
    other = RunStore(f"sqlite:///{tmp_path / 'other.db'}")
    there = PromptStore(other.database)
    done = there.load(text)
    assert [(one.role, one.number) for one in done.added] == [("essay_critic", 1), ("revise", 1)] and not done.known
    for role in (CRITIC, REVISE):
        mine, theirs = library.find(*role, "1"), there.find(*role, "1")
        assert (theirs.template, theirs.examples, theirs.digest) == (mine.template, mine.examples, mine.digest)
        assert (theirs.note, theirs.author, theirs.name, theirs.tags) == (mine.note, mine.author, mine.name, mine.tags)
        assert theirs.created_at == mine.created_at
    assert there.defaults("reflection") == {}  # a stranger's file changes nothing in what runs here
    other.close()


def test_any_text_is_read_again_as_it_was_written():
    chance = random.Random(4)
    letters = [*"ab :#-'\"\\|>%@&*!?{}[],\t\n\n  ", "\r", "\x07", "\x85", "\u2028", "\ufeff", "é", "😀", "$", "..."]
    for _ in range(200):
        text = "".join(chance.choices(letters, k=chance.randrange(1, 30)))
        turns = (Turn(role="user", content=text), Turn(role="assistant", content=f"{text}x"))
        entry = prompt_file.Entry(machine="m", role="r", template=text, examples=(Example(turns=turns),), note=text)
        ((_, read),) = prompt_file.read(prompt_file.write([("version 1", entry)]))
        assert read == entry


def test_what_is_there_already_is_left_as_it_is(library: PromptStore):
    save(library, "Judge.", "Mine")
    library.rename(*CRITIC, 1, "terse")
    done = library.load(
        file_of("Judge.", more="    note: Theirs\n    name: other\n")
        + file_of("New.", more="    name: terse\n").removeprefix(HEAD)
    )
    assert [one.number for one in done.known] == [1] and [one.number for one in done.added] == [2]
    first, second = library.find(*CRITIC, "1"), library.find(*CRITIC, "2")
    assert (first.note, first.name) == ("Mine", "terse") and (second.template, second.name) == ("New.", "")


def test_only_what_was_asked_for_is_exported(library: PromptStore):
    with pytest.raises(PromptError, match="no version of your own"):
        library.export()
    save(library), save(library, "Judge twice."), library.save(*REVISE, "$score $issues")
    assert library.export(*CRITIC, [2]).count("template:") == 1 and "Judge twice." in library.export(*CRITIC, [2])
    assert library.export("reflection").count("template:") == 3 == library.export().count("template:")
    assert "strict but fair" in library.export(*CRITIC, [0])
    with pytest.raises(PromptError, match="There is no version 7"):
        library.export(*CRITIC, [7])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "prompts|valid"),
        ("prompts: [", "not YAML: line 1"),
        ("format: 2\nprompts: []\n", "format 2; this version reads 1"),
        ("format: 1\nprompts: []\n", "line 2 of the file, prompts"),
        (file_of().replace("format: 1", "format: 0"), "line 1 of the file, format: .*greater than or equal to 1"),
        (file_of(more="    created_at: 0001-01-01T00:00:00+14:00\n"), "created_at is no moment"),
        (file_of(role="poet"), "reflection, poet, line 3 of the file: reflection has no role"),
        (
            file_of().replace("reflection", "muse"),
            "muse, essay_critic, line 3 of the file: there is no machine|There is no",
        ),
        (file_of("$topic"), "essay_critic, line 3 of the file: .*line 1: \\$topic is not a variable"),
        (file_of(more="    extra: 1\n"), "reflection, essay_critic, line 6 of the file, extra"),
        (file_of(more="    template: again\n"), "Line 6 of the file says 'template' again"),
        (file_of(more="    tags: [a, '7']\n"), "A tag cannot be '7'"),
        (file_of(more="    created_at: yesterday\n"), "created_at is no moment"),
        (
            file_of(more="    examples:\n      - turns:\n          - role: system\n            content: x\n"),
            "line 8 of",
        ),
        (file_of('"\\ud800"'), "holds a character that is none"),
        (file_of('"\\UFFFFFFFF"'), "not YAML"),
        (file_of("\x07"), "not YAML"),
        (file_of("!!python/object/apply:os.system [echo]"), "line 5 of the file, template"),
        ("a: &a [x]\nb: *a\n", "Line 2 of the file refers to another part"),
        ("[" * 50_000, "lies too deep"),
        ("- " * 50_000, "lies too deep"),
        ("a: " * 50_000, "not YAML|too deep"),
        ("format: 1\nprompts:\n" + "  - x\n" * 30_000, "too many parts"),
        ("x" * (prompt_file.LARGEST + 1), "characters; 4,194,304 fit"),
        ("--- a\n--- b\n", "not YAML"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence_and_nothing_is_added(library: PromptStore, text: str, says: str):
    with pytest.raises(PromptError, match=says):
        library.load(text)
    assert len(library.versions(*CRITIC)) == 1


def test_one_wrong_version_keeps_the_whole_file_out(library: PromptStore):
    with pytest.raises(PromptError, match="line 6 of the file"):
        library.load(file_of("Judge.") + file_of("$topic").removeprefix(HEAD))
    assert len(library.versions(*CRITIC)) == 1


# --- who writes ---


def test_a_name_is_typed_once_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOGNAME", "ada")
    assert prompts.author(tmp_path) == "ada"
    prompts.remember_author(tmp_path, "Ada Lovelace")
    assert prompts.author(tmp_path) == "Ada Lovelace"
