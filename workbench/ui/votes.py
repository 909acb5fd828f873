"""The votes for each answer as a small histogram, live as the samples come in."""

from collections.abc import Mapping

from workbench.ui.markdown import escape
from workbench.ui.metrics import bar

MOST_ROWS = 6  # answers that are shown; the others are counted together
LONGEST = 80  # characters of an answer; what a narrow column cannot hold of them is cut by the style


def votes_html(votes: Mapping[str, int]) -> str:
    """The answers with their votes, the leader first and marked; under `""` are the samples without one."""
    if not votes:
        return ""
    ranked = [(answer, number) for answer, number in votes.items() if answer]
    shown, rest = ranked[:MOST_ROWS], ranked[MOST_ROWS:]
    total, most = sum(votes.values()), max(votes.values())
    rows = [
        _row(_brief(answer), number, most, "wb-leads" if place == 0 else "")
        for place, (answer, number) in enumerate(shown)
    ]
    if rest:
        rows.append(_row(f"{len(rest)} more answers", sum(number for _, number in rest), most, "wb-rest"))
    if silent := votes.get("", 0):
        rows.append(_row("no answer", silent, most, "wb-rest"))
    head = f"<h4>votes <small>{total} sample{'s' if total != 1 else ''}</small></h4>"
    return f'<section class="wb-votes" aria-label="Votes">{head}<ol>{"".join(rows)}</ol></section>'


def _row(name: str, number: int, most: int, kind: str) -> str:
    words = f"{number} vote{'s' if number != 1 else ''}"
    leads = '<span class="wb-flag">leads</span>' if kind == "wb-leads" else ""
    return (
        f'<li class="{kind}"><span class="wb-voted" title="{escape(name)}">{escape(name)}</span>{leads}'
        f'<span class="wb-count">{number}</span>{bar(number / most, words)}</li>'
    )


def _brief(answer: str) -> str:
    flat = " ".join(answer.split())
    return flat if len(flat) <= LONGEST else flat[: LONGEST - 1].rstrip() + "…"
