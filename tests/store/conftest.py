"""Stores for tests: SQLite always, and the PostgreSQL database at TEST_POSTGRES too where there is one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from workbench.store.runs import RunStore

POSTGRES = os.environ.get("TEST_POSTGRES", "")  # read before tests clean the environment
URLS = ["sqlite", *(["postgresql"] if POSTGRES else [])]


def emptied_postgres() -> str:
    engine = create_engine(POSTGRES)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return POSTGRES


@pytest.fixture(params=URLS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'runs.db'}" if request.param == "sqlite" else emptied_postgres()


@pytest.fixture
def store(url: str) -> Iterator[RunStore]:
    store = RunStore(url)
    yield store
    store.close()
