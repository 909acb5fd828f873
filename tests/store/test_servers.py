"""The named servers as they are kept."""

from sqlalchemy import select

from workbench.backends.servers import Server
from workbench.store.runs import RunStore
from workbench.store.servers import ServerStore
from workbench.store.tables import servers as table

LAB = Server(
    kind="ollama",
    name="lab",
    address="http://lab:11434",
    model="qwen3:1.7b",
    key_from="env:LAB_KEY",
    options={"keep_alive": "10m"},
    created_at="2026-11-23T12:00:00+00:00",
)


def test_a_server_comes_back_as_it_was_kept(store: RunStore):
    kept = ServerStore(store.database)
    kept.keep(LAB)
    assert kept.find("ollama@lab") == LAB
    assert kept.all() == [LAB]


def test_one_of_the_same_name_takes_its_place_and_one_of_another_kind_does_not(store: RunStore):
    kept = ServerStore(store.database)
    other = LAB.model_copy(update={"kind": "openai", "address": "https://lab/v1"})
    changed = LAB.model_copy(update={"address": "http://lab:9", "options": {}})
    for server in (LAB, other, changed):
        kept.keep(server)
    assert kept.all() == [changed, other]


def test_one_that_was_removed_is_not_found(store: RunStore):
    kept = ServerStore(store.database)
    kept.keep(LAB)
    kept.remove("ollama@lab")
    kept.remove("ollama@lab")
    assert kept.find("ollama@lab") is None and kept.all() == []


def test_another_store_on_the_same_database_sees_it_at_once(store: RunStore, url: str):
    ServerStore(store.database).keep(LAB)
    other = RunStore(url)
    assert ServerStore(other.database).all() == [LAB]
    other.close()


def test_where_the_key_is_stands_in_the_table_and_no_column_is_for_the_key(store: RunStore):
    ServerStore(store.database).keep(LAB)
    with store.database.read() as connection:
        row = connection.execute(select(table)).one()._asdict()
    assert row["key_from"] == "env:LAB_KEY"
    assert set(row) == {"id", "kind", "name", "address", "model", "key_from", "options", "created_at"}
