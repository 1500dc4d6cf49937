"""The tokens of mulberry.css and dark.css have the contrasts of WCAG 2.1 AA, and no other file asks whether it is dark."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parent.parent / "static"
BACKGROUNDS = ("paper", "surface", "sunken")
TEXTS = (
    "ink",
    "muted",
    "accent",
    "accent-hover",
    "waiting",
    "ready",
    "running",
    "succeeded",
    "failed",
    "cancelled",
)
MARKS = (
    "line-strong",
    "accent",
    *(f"condition-{place}" for place in range(6)),
    *(f"part-{place}" for place in range(8)),
)


def tokens() -> dict[str, dict[str, str]]:
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", (STATIC / "css" / name).read_text()))
        for name in ("mulberry.css", "dark.css")
    )
    assert light.keys() == dark.keys()
    return {"light": light, "dark": dark}


def test_only_the_theme_asks_whether_it_is_dark() -> None:
    """A person may have chosen otherwise: everything goes by the tokens."""
    files = [*STATIC.glob("css/*.css"), *STATIC.glob("js/*.js")]
    asking = {path.name for path in files if "prefers-color-scheme" in path.read_text()}
    assert asking == {"theme.js"}


def test_styles_use_tokens_that_exist() -> None:
    known = {*tokens()["light"], "font", "mono", "radius"}
    used = {
        (path.name, token)
        for path in STATIC.glob("css/*.css")
        for token in re.findall(r"var\(--([\w-]+)\)", path.read_text())
    }
    own = {
        token for path in STATIC.glob("css/*.css") for token in re.findall(r"--([\w-]+):", path.read_text())
    }
    assert {(name, token) for name, token in used if token not in known | own} == set()


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_knows_black_and_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read(scheme: str) -> None:
    found = tokens()[scheme]
    pairs = [(text, ground) for text in TEXTS for ground in BACKGROUNDS]
    pairs += [
        ("on-accent", "accent"),
        ("on-accent", "accent-hover"),
        ("mul-ink", "mul"),
        ("ink", "selected"),
        ("muted", "selected"),  # the detail of a chosen line in the palette
        ("ink", "shown"),
        ("changed", "paper"),
        ("changed", "surface"),
    ]
    low = {pair: round(contrast(found[pair[0]], found[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_borders_and_marks_can_be_seen(scheme: str) -> None:
    found = tokens()[scheme]
    low = {
        (mark, ground): round(contrast(found[mark], found[ground]), 2)
        for mark in MARKS
        for ground in ("paper", "surface")
    }
    assert {pair: ratio for pair, ratio in low.items() if ratio < 3} == {}
