"""What a model was asked of its own probabilities, as it is shown: bars for labels, a table beside heat maps."""

from collections.abc import Sequence

from workbench.confidence import PIECE, Shares, bits_per_character, joint, perplexity, probability
from workbench.events import TokenLogprob
from workbench.ui.markdown import escape, plain
from workbench.ui.metrics import bar
from workbench.ui.probabilities import fraction, heat_html, named
from workbench.weighing import Classified, Judged, Scored, Weighing

SURE = 0.7  # from which on a yes or a no is taken for one
OUTSIDE = 0.1  # probability given to something else, from which on it is worth a word
SHOWN = 160  # characters of a text above its labels
ABOUT_OUTSIDE = "The model gave {share} to something else than what was offered: do not rely on these numbers."
ABOUT_NONE = "The model began with something else than what was offered. Ask another model, or in other words."
ABOUT_HIDDEN = "Not among the likeliest tokens that the server tells, and so taken as 0: {names}."


def result_html(weighing: Weighing, place: int) -> str:
    """One result of a weighing; those of a comparison belong together and are drawn with the first."""
    match weighing.results[place]:
        case Classified() as found:
            head = f"<h3>{escape(_brief(found.text))}</h3>"
            return f'<div class="wb-weighed">{head}{shares_html(found.found)}{sent_html(found.sent)}</div>'
        case Judged() as found:
            return judged_html(found)
        case Scored():
            scored = [one for one in weighing.results if isinstance(one, Scored)]
            return compared_html(scored) if place == 0 else ""
    return ""


def shares_html(found: Shares, words: dict[str, str] | None = None) -> str:
    """A bar for each answer that was offered, the likeliest first and marked; then what lies outside of them."""
    rows = []
    for place, share in enumerate(found.shares):
        leads = place == 0 and found.best is not None
        mark = '<span class="wb-flag">likeliest</span>' if leads else ""
        name, number = escape((words or {}).get(share.name, share.name)), fraction(share.probability)
        rows.append(
            f'<li class="{"wb-leads" if leads else ""}"><span class="wb-voted" title="{name}">{name}</span>{mark}'
            f'<span class="wb-count">{number}</span>{bar(share.probability, f"probability {number}")}</li>'
        )
    return f'<div class="wb-votes"><ol>{"".join(rows)}</ol></div>{_caveats(found)}'


def _caveats(found: Shares) -> str:
    said = []
    if found.best is None:
        said.append(ABOUT_NONE)
    elif found.outside >= OUTSIDE:
        said.append(ABOUT_OUTSIDE.format(share=fraction(found.outside)))
    if found.hidden and found.best is not None:
        said.append(ABOUT_HIDDEN.format(names=", ".join(found.hidden)))
    return "".join(f'<p class="wb-note">{escape(words)}</p>' for words in said)


def judged_html(found: Judged) -> str:
    """Whether the passage is enough, and how sure the model is."""
    verdict = "enough" if found.yes >= SURE else "not enough" if found.yes <= 1 - SURE else "unsure"
    sure = fraction(found.yes if verdict == "unsure" else max(found.yes, 1 - found.yes))
    words = f"unsure: {sure} that it is enough" if verdict == "unsure" else f"{verdict}, sure to {sure}"
    says = words if found.found.best else "no verdict"
    names = {"Yes": "Yes, it is enough", "No": "No, something is missing"}
    head = f"<h3>{escape(_brief(found.question))}</h3><p>{says}</p>"
    return f'<div class="wb-weighed">{head}{shares_html(found.found, names)}{sent_html([found.sent])}</div>'


def compared_html(found: Sequence[Scored]) -> str:
    """The same answer after different prompts or of different models: perplexities beside each other, then the maps."""
    best = _best(found)
    rows = "".join(_row(letter, one, one is best) for letter, one in zip("AB", found, strict=False))
    heads = "".join(f"<th>{name}</th>" for name in ("", "model", "perplexity", "bits a character", "tokens"))
    table = f'<div class="wb-md"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    maps = "".join(
        f"<h3>{letter}: {escape(_brief(one.prompt))}</h3>{heat_html(one.tokens, ''.join(t.text for t in one.tokens))}"
        for letter, one in zip("AB", found, strict=False)
    )
    return f'<div class="wb-weighed">{table}{_about_tokens(found)}{maps}</div>'


def _best(found: Sequence[Scored]) -> Scored | None:
    """Which expects the answer more, by the perplexity or where tokens differ by the characters; None of equals."""
    cost = bits_per_character if _cut_otherwise(found) else perplexity
    ranked = sorted(
        ((value, place) for place, one in enumerate(found) if (value := cost(one.tokens)) is not None),
    )
    if len(ranked) < 2 or ranked[0][0] == ranked[1][0]:
        return None
    return found[ranked[0][1]]


def _cut_otherwise(found: Sequence[Scored]) -> bool:
    return len({tuple(token.text for token in one.tokens) for one in found}) > 1


def _row(letter: str, one: Scored, is_best: bool) -> str:
    value, bits = perplexity(one.tokens), bits_per_character(one.tokens)
    mark = ' <span class="wb-flag">expects it more</span>' if is_best else ""
    cells = (
        f"<b>{letter}</b>{mark}",
        escape(one.model),
        "–" if value is None else f"{value:,.2f}",
        "–" if bits is None else f"{bits:.2f}",
        str(len(one.tokens)),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _about_tokens(found: Sequence[Scored]) -> str:
    """A perplexity is one for each token: models that cut the text otherwise are compared by its characters."""
    if not _cut_otherwise(found):
        return ""
    return '<p class="wb-note">The models cut the text into other tokens: compare the bits a character.</p>'


def path_html(begun: str, path: Sequence[tuple[str, float]]) -> str:
    """A sentence with the tokens that were chosen for it, and how likely the model finds the path."""
    tokens = tuple(TokenLogprob(text, logprob) for text, logprob in path)
    drawn = heat_html(tokens, "".join(token.text for token in tokens), before=begun, legend=bool(tokens))
    count = f"{len(path)} token" + ("s" if len(path) != 1 else "")
    said = f"{count} chosen; the path has the probability {likely(joint([value for _, value in path]))}"
    return f'<div class="wb-weighed">{drawn}{f"<p>{said}</p>" if path else ""}</div>'


def likely(value: float) -> str:
    """A probability that may be very small."""
    return fraction(value) if value >= 0.01 else f"{value:.1e}"


def sent_html(prompts: Sequence[str]) -> str:
    """Exactly what was asked."""
    asked = "".join(plain(prompt) for prompt in prompts)
    return f'<details class="wb-quiet"><summary>What was sent</summary>{asked}</details>'


def _brief(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= SHOWN else f"{flat[: SHOWN - 1]}…"


def candidate(text: str, logprob: float) -> tuple[str, bool]:
    """What stands on a candidate's button, and whether one can go on with it."""
    if not text:
        return f"(the end) {fraction(probability(logprob))}", False
    return f"{named(text)} {fraction(probability(logprob))}", PIECE not in text
