"""`python -m benchmarks [--keep FOLDER]`: every measurement, printed and kept in benchmarks/results.md."""

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import accuracy, experiment, history, kill, overhead, page, retrieval, sessions, steering

RESULTS = Path(__file__).with_name("results.md")


def main(arguments: list[str]) -> None:
    """Measure what survives, what the page, the engine, many people and Stop cost, then how the machines do.

    Writes the tables. The arguments are those of `benchmarks.accuracy`.
    """
    measures: list[Callable[[], str]] = [
        lambda: kill.measure()[0],  # before all that starts a thread: it forks
        experiment.measure,  # forks too, before it does anything else
        page.measure,
        history.measure,
        overhead.measure,
        lambda: sessions.measure()[0],
        lambda: steering.measure()[0],
        retrieval.measure,
        lambda: accuracy.main(arguments),
    ]
    parts = []
    for measure in measures:
        parts.append(measure())
        print(parts[-1], flush=True)
    RESULTS.write_text("# Measured with `make bench`\n\n" + "\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
