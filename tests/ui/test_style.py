import re
import tomllib

import pytest

from workbench.settings import CHECKOUT
from workbench.ui.style import CSS

TEXT = ["ink", "muted"]
ROLES = ["generator", "critic", "tool", "thinking", "error", "waiting"]
GROUNDS = ["paper", "side", "surface", "code"]


def palette(theme: int) -> dict[str, str]:
    """The stylesheet's colours, light (0) or dark (1)."""
    found = re.findall(r"--wb-([a-z-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS.read_text())
    return {name: pair[theme] for name, *pair in found}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


PAIRS = [
    *((text, ground) for text in TEXT for ground in GROUNDS),
    *((role, "surface") for role in ROLES),
    *(("ink", ground) for ground in ("wash", "struck", "added", "thought", "waiting-wash", "doubt")),
    *(("ink", f"doubt-{step}") for step in ("some", "much", "most")),
    ("thinking", "thought"),
    ("generator", "wash"),
    ("error", "paper"),
    *(("on-colour", ground) for ground in ("generator", "critic", "critic-near", "tool", "thinking", "muted")),
]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_can_be_read_on_its_ground(text: str, ground: str, theme: int):
    colours = palette(theme)
    assert contrast(colours[text], colours[ground]) >= 4.5


def test_contrast_is_computed_as_the_standard_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("name", "theme"), [("light", 0), ("dark", 1)])
def test_streamlit_s_theme_has_the_stylesheet_s_colours(name: str, theme: int):
    config = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text())["theme"][name]
    ours = {
        "backgroundColor": "paper",
        "secondaryBackgroundColor": "surface",
        "textColor": "ink",
        "borderColor": "line",
        "codeBackgroundColor": "code",
        "primaryColor": "generator",
        "blueColor": "generator",
        "orangeColor": "critic",
        "greenColor": "tool",
        "violetColor": "thinking",
        "redColor": "error",
        "grayColor": "muted",
    }
    assert {key: config[key] for key in ours} == {key: palette(theme)[colour] for key, colour in ours.items()}
    assert config["sidebar"]["backgroundColor"] == palette(theme)["side"]


def test_the_app_answers_on_this_machine_alone_and_tells_nobody():
    config = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text())
    assert config["server"]["address"] == "127.0.0.1"
    assert config["browser"]["gatherUsageStats"] is False


def test_every_colour_that_is_used_is_defined():
    css = CSS.read_text()
    used, defined = set(re.findall(r"var\(--(wb-[a-z-]+)", css)), set(re.findall(r"--(wb-[a-z-]+):", css))
    assert used <= defined


def test_nothing_moves_for_those_who_asked_for_stillness():
    css = CSS.read_text()
    blocks = re.findall(r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}", css, re.DOTALL)
    assert "animation:" in "".join(blocks)
    still = re.sub("|".join(map(re.escape, blocks)), "", css)
    assert not re.search(r"animation|transition|scroll-behavior", still)


def test_there_is_no_gradient():
    assert "gradient" not in CSS.read_text()
