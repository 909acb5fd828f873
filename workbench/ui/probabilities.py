"""What a model wrote as a heat map of its tokens' probabilities, and the phrases that it was least sure of."""

from collections.abc import Sequence

from workbench.confidence import LOW, PIECE, Phrase, phrases, probability
from workbench.events import TokenLogprob
from workbench.ui.markdown import escape

MOST_DRAWN = 4_000  # tokens of one card; more would make the page heavy
STEPS = ((0.2, "wb-q4"), (0.5, "wb-q3"), (0.7, "wb-q2"), (0.9, "wb-q1"))  # below so much; each is marked for the eye
SPACES = {"\n": "line break", "\t": "tab", "": "the end"}
LEGEND = (
    ("wb-q1", "below .9"),
    ("wb-q2", ".7"),
    ("wb-q3", ".5"),
    ("wb-q4", ".2"),
)


def fraction(value: float) -> str:
    """A probability in two digits: `.87`; what is not quite 1 does not look as if it were."""
    if 0.995 <= value < 1:
        return ">.99"
    if 0 < value < 0.005:
        return "<.01"
    return f"{value:.2f}".removeprefix("0")


def heat_html(tokens: Sequence[TokenLogprob], text: str, *, before: str = "", legend: bool = True) -> str:
    """The raw `text`, token by token, darker where it was less likely; each says its probability and the others'.

    `before` is shown in front of it, unmarked.
    """
    shown, left = tokens[:MOST_DRAWN], len(tokens[MOST_DRAWN:])
    more = f'<p class="wb-note">{left:,} more tokens are not drawn.</p>' if left else ""
    drawn = f'<div class="wb-heat">{escape(before)}{"".join(map(_token, shown))}</div>'
    return f"{drawn}{_unlike(tokens, text)}{more}{_legend() if legend else ''}"


def _token(token: TokenLogprob) -> str:
    """One token. A click or a tap shows what it says, as the mouse over it does; the keyboard stops at unsure ones."""
    if not token.text:
        return ""
    sure = probability(token.logprob)
    mark = next((f' class="{name}"' for below, name in STEPS if sure < below), "")
    stop = 0 if sure < LOW else -1
    return f'<i{mark} tabindex="{stop}" title="{escape(said(token))}">{escape(token.text)}</i>'


def said(token: TokenLogprob) -> str:
    """`p .62 · " dog" .21, " cow" .09`: the token's probability and what else there might have been."""
    return f"p {fraction(probability(token.logprob))}{instead(token)}"


def instead(token: TokenLogprob) -> str:
    """What else there might have been, with its probability; nothing where it is not known."""
    others = [f"{named(text)} {fraction(probability(logprob))}" for text, logprob in token.top if text != token.text]
    return f" · {', '.join(others)}" if others else ""


def named(text: str) -> str:
    """A token in quotes, so that its spaces are seen; one that is only some bytes of a character says so."""
    if text in SPACES:
        return f"({SPACES[text]})"
    if PIECE in text:
        return "(part of a character)"
    return f"“{text}”".replace("\n", "↵")


def _unlike(tokens: Sequence[TokenLogprob], text: str) -> str:
    """A word where the tokens do not give the text: thinking is among them, or a part was taken away."""
    if "".join(token.text for token in tokens) == text:
        return ""
    return '<p class="wb-note">These are the tokens as the server told them; joined they are not quite its text.</p>'


def _legend() -> str:
    keys = "".join(f'<i class="{name}">{words}</i>' for name, words in LEGEND)
    return f'<p class="wb-scale">probability {keys} point at a token or tap it</p>'


def phrases_html(tokens: Sequence[TokenLogprob]) -> str:
    """The phrases that the model was least sure of, as a list; a word where there is none."""
    found = phrases(tokens)
    if not found:
        return "<p>no phrase below .5</p>"
    return f"least sure of<ul>{''.join(map(_row, found))}</ul>"


def _row(phrase: Phrase) -> str:
    others = instead(phrase.weakest)
    weakest = f"<small>{escape(named(phrase.weakest.text) + others)}</small>" if others else ""
    return f"<li><code>{escape(_brief(phrase.text))}</code> {fraction(phrase.probability)}{weakest}</li>"


def _brief(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else f"{flat[:59]}…"
