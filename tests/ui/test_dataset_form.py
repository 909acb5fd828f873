"""The form of data sets as a person uses it: nothing is kept before it was shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from workbench.errors import DiskFull
from workbench.settings import CHECKOUT
from workbench.store.datasets import DatasetStore
from workbench.ui import dataset_form, session

PAGE = str(CHECKOUT / "tests" / "ui" / "dataset_page.py")
TABLE = "question,answer,topic\nWhat is 2 + 2?,4,sums\nWhat is 3 + 3?,6,sums\nWho?,,people\n"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("WORKBENCH_BACKEND", "scripted")
    st.cache_resource.clear()
    yield AppTest.from_file(PAGE, default_timeout=30).run()
    session.engine().close()
    st.cache_resource.clear()


def choose(at: AppTest, way: str) -> AppTest:
    return at.segmented_control(key="set-way").set_value(way).run()


def paste(at: AppTest, text: str) -> AppTest:
    choose(at, "Paste")
    return at.text_area[0].set_value(text).run()


def tables(at: AppTest) -> list[list[list[str]]]:
    assert not at.exception
    return [frame.value.astype(str).values.tolist() for frame in at.dataframe]


def chosen(at: AppTest) -> str:
    return at.text[-1].value


def kept() -> list[str]:
    return [row.name for row in dataset_form.store().list()]


def test_the_shipped_sets_can_be_chosen_at_once(page: AppTest):
    assert chosen(page) == "chosen: letters"
    assert "Counting letters (letters)" in page.selectbox(key="set-choice").options
    page.selectbox(key="set-choice").select("dates").run()
    assert chosen(page) == "chosen: dates"
    assert "exact" in page.caption[0].value
    assert not page.exception


def test_what_was_pasted_is_shown_before_it_is_kept(page: AppTest):
    paste(page, TABLE)
    schema, items, problems = tables(page)
    assert schema == [
        ["question", "text", "question", "What is 2 + 2?"],
        ["answer", "text", "answer", "4"],
        ["topic", "text", "tags", "sums"],
    ]
    assert items[0] == ["1", "What is 2 + 2?", "4", "sums"]
    assert problems == [["4", "it has no answer"]]
    assert "1 row is left out" in page.warning[0].value
    assert any("2 items · SHA-256" in element.proto.body for element in page.get("html"))
    assert kept() == []


def test_a_set_that_is_kept_is_chosen_and_the_form_is_empty_again(page: AppTest):
    paste(page, TABLE)
    page.text_input[0].set_value("My sums")
    page.button(key="set-keep").click().run()
    assert kept() == ["My sums"] and chosen(page) == "chosen: My sums"
    assert "My sums is kept" in page.success[0].value
    assert page.text_area[0].value == "" and not page.dataframe
    assert "My sums · 2 items" in page.selectbox(key="set-choice").options
    assert not page.exception


def test_the_same_items_are_not_kept_twice(page: AppTest):
    for _ in range(2):
        paste(page, TABLE)
        page.button(key="set-keep").click().run()
    assert kept() == ["pasted"]
    assert "kept already, as pasted" in page.success[0].value


def test_a_set_that_cannot_be_kept_says_why_and_the_form_stays(page: AppTest, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> str:
        raise DiskFull("The disk is full.")

    monkeypatch.setattr(DatasetStore, "add", full)
    paste(page, TABLE)
    page.button(key="set-keep").click().run()
    assert "The disk is full." in page.error[0].value
    assert page.text_area[0].value.strip() == TABLE.strip() and chosen(page) == "chosen: letters"
    assert not page.exception


def test_an_uploaded_file_is_read_and_named_after_itself(page: AppTest):
    page.file_uploader[0].set_value(("sums.csv", TABLE.encode(), "text/csv")).run()
    assert len(tables(page)) == 3
    page.button(key="set-keep").click().run()
    assert chosen(page) == "chosen: sums"


def test_a_file_is_read_by_its_path_and_again_when_it_has_changed(page: AppTest, tmp_path: Path):
    import os

    file = tmp_path / "numbers.jsonl"
    file.write_text('{"question": "1?", "answer": 1}\n')
    choose(page, "Path")
    page.text_input[0].set_value(str(file)).run()
    assert tables(page)[1] == [["1", "1?", "1"]]
    file.write_text('{"question": "2?", "answer": 2}\n')
    os.utime(file, (1, 1))
    page.run()
    assert tables(page)[1] == [["1", "2?", "2"]]


def test_what_cannot_be_read_says_why_and_what_to_do(page: AppTest):
    paste(page, "[1, 2")
    assert "line 1" in page.error[0].value and not page.dataframe
    choose(page, "Path")
    page.text_input[0].set_value("/nowhere/none.csv").run()
    assert "is no file" in page.error[0].value
    assert not page.exception


def test_a_column_can_be_chosen_where_none_is_named_as_a_question_is(page: AppTest):
    paste(page, "Frage,answer\nWas?,das\n")
    assert "Frage, answer" in page.error[0].value
    page.selectbox(key="set-column-question-0").select("Frage").run()
    assert tables(page)[1] == [["1", "Was?", "das"]]
    assert not page.error
    page.selectbox(key="set-column-answer-0").select("none").run()
    assert tables(page)[1] == [["1", "Was?"]]


def test_a_chosen_set_that_was_deleted_elsewhere_gives_way_to_a_shipped_one(page: AppTest):
    paste(page, TABLE)
    page.button(key="set-keep").click().run()
    dataset_form.store().delete("pasted")
    page.run()
    assert chosen(page) == "chosen: letters"
    assert not page.exception


def test_what_a_file_says_is_no_markup(page: AppTest):
    evil = "<script>alert(1)</script>"
    page.file_uploader[0].set_value((f"{evil}.csv", TABLE.encode(), "text/csv")).run()
    assert not any("<script>" in element.proto.body for element in page.get("html"))
