"""How long the results page of an experiment takes: opened in a real browser, with 1,000 and with 10,000 cells.

The cells are written into the tables as a finished experiment of two lanes has them: a lane of one call, and one that
revises twice, so that scores, tests, the flip ledger and its charts are all there. Measured from the click on Open in
the list to the moment when the last part of the page and its chart stand: the first time, when the results are folded,
and again, when they are kept. Then from the address in a new tab, which loads the whole app first; beside it the list,
opened in the same way, says how much of that is the app's own.
"""

import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.experiment import DIRECT, items, plan, sweeps_in
from benchmarks.page import chromium
from benchmarks.report import table, title
from tests.app_server import AppServer
from workbench.experiments.model import Cell, Round
from workbench.experiments.reading import Reading, digest_of
from workbench.store.datasets import DatasetStore

SIZES = {1_000: 2.0, 10_000: 3.0}  # cells, and the seconds that their page may take
FEW = 20  # cells of an experiment whose page only loads what draws charts
REVISES = {"name": "reflection", "machine": "reflection"}
WORDS = "The sum of the two numbers is found by adding them, which is done here in a few words. "
PATIENCE = 120_000.0


def answered(cell: Cell, chance: random.Random) -> Cell:
    """A cell as a run leaves it."""
    right = float(chance.random() < 0.5 + 0.2 * cell.lane)
    first = float(chance.random() < 0.5)
    values: dict[str, Any] = {"status": "done", "score": right, "answer": WORDS * 4, "said": "read 4", "calls": 1}
    values |= {"prompt_tokens": chance.randint(50, 90), "completion_tokens": chance.randint(20, 300)}
    values |= {"seconds": chance.uniform(1, 9), "confidence": chance.uniform(0.5, 1)}
    if cell.lane:
        scores = (first, first, right)
        rounds = tuple(Round(score=score, tokens=20 * number) for number, score in enumerate(scores, 1))
        values |= {"feedback": "critic", "calls": 5, "rounds": rounds}
    return cell.model_copy(update=values)


def written(home: Path, cells: int) -> None:
    """A finished experiment of so many cells, named by their number."""
    asked, chance = items(cells // 2), random.Random(cells)
    with sweeps_in(home) as sweeps:
        reading = Reading("sums", "made up", "table", asked, digest_of(asked))
        digest = DatasetStore(sweeps.engine.store.database).add(reading)
        chosen = plan([DIRECT, REVISES]).model_copy(update={"name": str(cells)})
        found = sweeps.prepare(chosen, asked, digest).id
        done = [answered(cell, chance) for cell in sweeps.store.cells(found)]
        sweeps.store.claim(found)
        sweeps.store.save(found, done)
        sweeps.store.release(found, "done")


def clicked(page: Any, name: str) -> float:
    """Seconds from the click in the list until the page of an experiment stands, its chart too; then back again."""
    row = page.locator("[class*=st-key-row-]", has=page.get_by_role("heading", name=name, exact=True))
    button = row.get_by_role("button", name="Open")
    button.wait_for()
    began = time.perf_counter()
    button.click()
    _stands(page)
    seconds = time.perf_counter() - began
    page.get_by_role("button", name="All experiments").click()
    page.get_by_role("button", name="New experiment").wait_for()
    return seconds


def addressed(context: Any, address: str) -> float:
    """Seconds until an address stands in a tab of its own."""
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address)
    if "experiment=" in address:
        _stands(page)
    else:
        page.get_by_role("button", name="New experiment").wait_for()
    seconds = time.perf_counter() - began
    page.close()
    return seconds


def _stands(page: Any) -> None:
    page.locator(".st-key-rescore-open").wait_for()
    page.locator(".st-key-score-cost .main-svg").first.wait_for()


def measure() -> str:
    """The page's seconds, as a Markdown table."""
    home = Path(tempfile.mkdtemp(prefix="second-thought-results-"))
    for cells in (FEW, *SIZES):
        written(home, cells)
    rows = []
    env = os.environ | {"WORKBENCH_HOME": str(home), "WORKBENCH_BACKEND": "scripted"}
    with AppServer(home, env) as server, chromium() as browser:
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(f"{server.url}/experiments")
        rows.append([f"the first of a server and a browser, {FEW} cells", f"{clicked(page, str(FEW)):.2f} s", ""])
        for cells, most in SIZES.items():
            first, again = (clicked(page, str(cells)) for _ in range(2))
            tab = addressed(context, f"{server.url}/experiments?experiment={cells}")
            said = f"{first:.2f} s, again {again:.2f} s; in a new tab {tab:.2f} s"
            rows.append([f"results page with {cells:,} cells", said, f"at most {most:g} s"])
        alone = addressed(context, f"{server.url}/experiments")
        rows.append(["the list in a new tab", f"{alone:.2f} s", ""])
    return f"{title('The results page', 'a real browser')}\n{table(['what', 'measured', 'wanted'], rows)}\n"


if __name__ == "__main__":
    print(measure())
