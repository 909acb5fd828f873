"""Kept data sets: each once, found by name or digest, not deleted while an experiment needs them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import insert, update

from workbench.errors import InvalidRequest, StoreError
from workbench.experiments import datasets
from workbench.experiments.reading import Reading, digest_of
from workbench.store.database import Database
from workbench.store.datasets import DatasetStore
from workbench.store.tables import dataset_items, experiments


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def kept(database: Database) -> DatasetStore:
    return DatasetStore(database)


def reading(name: str = "sums", first: int = 1, count: int = 3) -> Reading:
    rows = "\n".join(f"{n} + {n}?,{2 * n},easy" for n in range(first, first + count))
    return replace(datasets.read_text(f"question,answer,level\n{rows}"), name=name, source=f"{name}.csv")


def use(database: Database, digest: str, name: str = "my sweep") -> None:
    row = {column.name: 0.0 if column.name == "touched" else name for column in experiments.columns}
    with database.write() as connection:
        connection.execute(insert(experiments).values(row | {"dataset": digest}))


def test_a_kept_set_comes_back_as_it_was(kept: DatasetStore):
    digest = kept.add(reading())
    row = kept.get("sums")
    assert (row.digest, row.source, row.items) == (digest, "sums.csv", 3)
    assert kept.items(digest) == reading().items
    assert digest_of(kept.items(digest)) == digest == reading().digest


def test_a_large_set_is_kept_whole_and_read_in_pieces(kept: DatasetStore):
    large = reading(count=2_345)
    digest = kept.add(large)
    assert kept.items(digest) == large.items
    assert kept.items(digest, limit=2, offset=1_999) == large.items[1_999:2_001]
    assert kept.items(digest, limit=5, offset=2_345) == ()


def test_the_same_items_are_kept_once_under_their_first_name(kept: DatasetStore):
    assert kept.add(reading("sums")) == kept.add(reading("others"))
    assert [row.name for row in kept.list()] == ["sums"]


def test_another_set_of_the_same_name_gets_a_number(kept: DatasetStore):
    for first in (1, 10, 20):
        kept.add(reading("sums", first))
    assert {row.name for row in kept.list()} == {"sums", "sums 2", "sums 3"}
    assert kept.items(kept.get("sums 2").digest)[0].question == "10 + 10?"


def test_a_set_is_found_by_the_beginning_of_its_digest(kept: DatasetStore):
    digest = kept.add(reading())
    assert kept.get(digest[:6]) == kept.get(digest.upper()) == kept.get("sums")
    assert kept.find(digest[:5]) is kept.find("nothing") is kept.find("") is None


def test_a_digest_that_could_be_two_sets_is_asked_about(kept: DatasetStore, monkeypatch: pytest.MonkeyPatch):
    first, second = (replace(reading(str(n), n), digest="abcdef" + str(n) * 58) for n in (1, 2))
    kept.add(first)
    kept.add(second)
    with pytest.raises(InvalidRequest, match="Several"):
        kept.get("abcdef")
    assert kept.get("abcdef2").name == "2"


def test_a_set_that_is_not_there_is_answered_with_those_that_are(kept: DatasetStore):
    with pytest.raises(InvalidRequest) as error:
        kept.get("products")
    assert error.value.hint == "None is kept yet."
    kept.add(reading())
    with pytest.raises(InvalidRequest) as error:
        kept.get("products")
    assert error.value.hint == "These are kept: sums."


def test_a_set_can_be_renamed_but_not_to_a_name_that_is_taken(kept: DatasetStore):
    digest = kept.add(reading())
    kept.add(reading("products", 10))
    assert kept.rename("sums", "  My   sums ").name == "My sums"
    assert kept.get(digest).name == "My sums"
    assert kept.rename(digest, "My sums").name == "My sums"
    for taken in ("products", "letters"):
        with pytest.raises(InvalidRequest, match="Another data set"):
            kept.rename(digest, taken)
    for none in ("", "  ", "a\x00b", "x" * 201):
        with pytest.raises(InvalidRequest, match="needs a name"):
            kept.rename(digest, none)


def test_a_deleted_set_is_gone_with_its_items(kept: DatasetStore):
    digest = kept.add(reading())
    kept.delete("sums")
    assert kept.list() == [] and kept.items(digest) == ()
    assert kept.add(reading()) == digest


def test_a_set_that_an_experiment_uses_is_not_deleted(kept: DatasetStore, database: Database):
    digest = kept.add(reading())
    use(database, digest)
    with pytest.raises(InvalidRequest, match="is used by: my sweep"):
        kept.delete("sums")
    assert len(kept.items(digest)) == 3


def test_the_newest_set_is_listed_first(kept: DatasetStore, monkeypatch: pytest.MonkeyPatch):
    moments = iter(["2026-01-01T00:00:00", "2026-01-02T00:00:00"])

    class Clock:
        @staticmethod
        def now(zone: object) -> "Clock":
            return Clock()

        def isoformat(self, timespec: str) -> str:
            return next(moments)

    monkeypatch.setattr("workbench.store.datasets.datetime", Clock)
    kept.add(reading("older"))
    kept.add(reading("newer", 10))
    assert [row.name for row in kept.list()] == ["newer", "older"]


def test_an_odd_name_is_kept_as_what_a_database_can_hold(kept: DatasetStore):
    kept.add(reading("a\x00b\udcff\n" + "x" * 300))
    (row,) = kept.list()
    assert row.name.startswith("a b") and row.name.isprintable() and len(row.name) <= 200
    assert kept.get(row.name) == row
    assert kept.find("a\x00b\udcff") is None


def test_a_damaged_item_is_an_error_that_names_it(kept: DatasetStore, database: Database):
    digest = kept.add(reading())
    with database.write() as connection:
        connection.execute(update(dataset_items).where(dataset_items.c.number == 1).values(payload='{"id": 1'))
    with pytest.raises(StoreError, match=f"Item 1 of the data set {digest[:12]}"):
        kept.items(digest)


def test_a_kept_set_is_loaded_by_name_and_by_digest_with_the_same_items(kept: DatasetStore):
    digest = kept.add(reading())
    for ref in ("sums", digest, digest[:8]):
        loaded = datasets.load(ref, kept)
        assert (loaded.name, loaded.source, loaded.items, loaded.digest) == (
            "sums",
            "sums.csv",
            reading().items,
            digest,
        )
    with pytest.raises(InvalidRequest) as error:
        datasets.load("sumss", kept)
    assert error.value.hint.endswith("programs, sums.")


def test_a_shipped_set_can_be_kept_and_is_still_the_shipped_one(kept: DatasetStore):
    digest = kept.add(datasets.load("letters"))
    assert datasets.load("letters", kept).source == datasets.load(digest, kept).source == "shipped"
    assert kept.get("letters").digest == digest
