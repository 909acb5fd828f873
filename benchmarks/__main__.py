"""`python -m benchmarks [--keep FOLDER]`: every measurement, printed and kept in benchmarks/results.md."""

import sys
from pathlib import Path

from benchmarks import accuracy, overhead, page

RESULTS = Path(__file__).with_name("results.md")


def main(arguments: list[str]) -> None:
    """Measure what the page and the engine cost, then how the machines do; write the tables.

    The arguments are those of `benchmarks.accuracy`.
    """
    parts = []
    for measure in (page.measure, overhead.measure, lambda: accuracy.main(arguments)):
        parts.append(measure())
        print(parts[-1], flush=True)
    RESULTS.write_text("# Measured with `make bench`\n\n" + "\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
