"""The words of generated texts: people, things, and what things come in."""

import random

NAMES = ("Anna", "Ben", "Carla", "David", "Emma", "Frank", "Grace", "Henry", "Iris", "Jack")
NOUNS = (
    "apples", "balls", "beads", "books", "buttons", "cakes", "candles", "cards", "coins", "cookies", "cups",
    "dolls", "eggs", "flowers", "keys", "lemons", "marbles", "muffins", "nuts", "pencils", "rings", "shells",
    "stamps", "stones",
)  # fmt: skip
CONTAINERS = ("bag", "basket", "box", "jar", "shelf", "tray")


def plural(noun: str) -> str:
    """Return the plural of a container."""
    if noun == "shelf":
        return "shelves"
    return noun + ("es" if noun.endswith("x") else "s")


def two_names(rng: random.Random) -> tuple[str, str]:
    """Draw two different people."""
    first, second = rng.sample(NAMES, 2)
    return first, second
