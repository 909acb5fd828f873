"""`memories` in the terminal."""

import json

from tests.cli.typing import Script, Terminal
from workbench.store.memories import MemoryStore, New
from workbench.store.runs import RunStore


def test_memories_are_added_listed_edited_and_deleted(terminal: Terminal, store: RunStore):
    code, out, _ = terminal("memories", "add", "default", "Ada has a dog.", "--importance", "7")
    assert code == 0
    id_ = out.strip()
    again = terminal("memories", "add", "default", "ada has a dog.")
    assert again[:2] == (2, "") and "already" in again[2] and id_ in again[2]
    assert "1         0            " in terminal("memories", "list")[1]
    line = terminal("memories", "list", "default")[1].splitlines()[1]
    assert line.startswith(f"{id_}  observation  7") and line.endswith("Ada has a dog.")
    assert terminal("memories", "edit", id_[:6], "--importance", "3") == (0, f"{id_} 3 Ada has a dog.\n", "")
    assert terminal("memories", "edit", id_, "--text", "Ada has a cat.") == (0, f"{id_} 3 Ada has a cat.\n", "")
    assert terminal("memories", "delete", id_) == (0, "", "")
    assert MemoryStore(store.database).of("default") == []


def test_a_list_is_narrowed_and_written_as_json(terminal: Terminal, store: RunStore):
    memories = MemoryStore(store.database)
    one, _ = memories.add("default", [New("Ada has a dog.", 5), New("Ada moves.", 8)], "run-1")
    memories.add("default", [New("The dog moves.", 7, "reflection", (one.id,))])
    (line,) = terminal("memories", "list", "default", "--search", "DOG", "--kind", "reflection", "--json")[
        1
    ].splitlines()
    told = json.loads(line)
    assert (told["text"], told["sources"], told["importance"]) == ("The dog moves.", [one.id], 7.0)
    assert "vector" not in told and told["stored_at"].endswith("+00:00")
    assert json.loads(terminal("memories", "list", "--json")[1])["reflections"] == 1


def test_a_whole_stream_is_deleted(terminal: Terminal, store: RunStore):
    MemoryStore(store.database).add("work", [New("One.", 1), New("Two.", 2)])
    assert terminal("memories", "delete", "--stream", "work") == (0, "2 memories deleted.\n", "")
    code, _, err = terminal("memories", "delete", "--stream", "work")
    assert code == 2 and "no stream named 'work'" in err


def test_what_is_wrong_is_said_in_a_sentence(terminal: Terminal):
    for wrong, said in (
        (("edit", "nowhere", "--text", "x"), "no memory 'nowhere'"),
        (("edit", "nowhere"), "Nothing is to be changed"),
        (("delete", "nowhere"), "no memory 'nowhere'"),
        (("add", "default", "x", "--importance", "11"), "from 1 to 10"),
        (("add", "default", " "), "characters"),
    ):
        code, out, err = terminal("memories", *wrong)
        assert (code, out) == (2, "") and said in err


def test_a_run_in_the_terminal_remembers(terminal: Terminal, script: Script):
    observed = {"observations": [{"observation": "Ada has a cat.", "importance": 4}]}
    script([{"object": observed}, {"text": "A quiet one."}, {"object": {"observation": "She asked.", "importance": 2}}])
    asked = ("run", "memory_stream", "Which flat?", "--backend", "scripted", "--option", "plan=no")
    assert terminal(*asked)[0] == 0
    assert "Ada has a cat." in terminal("memories", "list", "default")[1]
