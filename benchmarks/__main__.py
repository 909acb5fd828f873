"""`python -m benchmarks`: every measurement, printed and kept in benchmarks/results.md."""

from pathlib import Path

from benchmarks import accuracy, overhead, page

RESULTS = Path(__file__).with_name("results.md")


def main() -> None:
    """Measure what the page and the engine cost, then how the machines do; write the tables."""
    parts = []
    for measure in (page.measure, overhead.measure, lambda: accuracy.main([])):
        parts.append(measure())
        print(parts[-1], flush=True)
    RESULTS.write_text("# Measured with `make bench`\n\n" + "\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
