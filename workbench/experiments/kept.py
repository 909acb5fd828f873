"""The results of a kept experiment, from the tables: for the page and the terminal."""

from workbench.experiments.results import Results, results
from workbench.experiments.scorers import registry as scorers
from workbench.store.database import Database
from workbench.store.datasets import DatasetStore
from workbench.store.experiments import ExperimentRow, ExperimentStore


def results_of(row: ExperimentRow, database: Database) -> Results:
    """Its results as they stand. Raises StoreError."""
    items = DatasetStore(database).items(row.dataset, row.plan.limit)
    graded = scorers.kind(row.plan.scorer.name).graded
    return results(row.plan, items, ExperimentStore(database).cells(row.id), graded)
