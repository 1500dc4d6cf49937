"""YAML's syntax errors in plain words, at the line where something is open or out of place."""

import pytest

from training.recipes import files, recipe as recipes
from webapp.launch.text import TextError, read

NAME = "name: mine\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("seeds: [0, 1\nqueue: x\n", 2, "the list that opens with [ is not closed where line 3 begins something else"),
        ("model: {n_layer: 2", 2, "the mapping that opens with { is not closed before the text ends; put } at its end"),
        ("seeds: [0 1: 2]\nmodel: {a: 1 b: 2}\n", 3, "a comma between its items"),
        ("title: 'x\nqueue: y\n", 2, "the text in quotes that begins here is not closed"),
        ("title: a: b\n", 2, "put a text that holds a colon and a space in quotes"),
        ("model:\n\tn_layer: 2\n", 3, "indented by a tab; indent it by spaces"),
        ("model:\n    n_layer: 2\n  n_head: 1\n", 4, "does not stand below the settings that begin in line"),
        ("title: 1\n- b\n", 3, "an item of a list stands among the settings"),
        ("title: *x\n", 2, "*x stands for nothing"),
        ("title: @x\n", 2, "begins with @ stands in quotes"),
        ('title: "\\q"\n', 2, "begins a special character"),
        ("queue\n\nseeds: [0]\n", 2, "with a colon and a space"),
    ],
)  # fmt: skip
def test_what_is_open_or_out_of_place_is_said(text: str, line: int, says: str) -> None:
    with pytest.raises(TextError) as found:
        read(NAME + text)
    assert says in str(found.value)
    assert found.value.line == line
    assert "while parsing" not in str(found.value) and "while scanning" not in str(found.value)


def test_the_blank_recipe_can_be_launched() -> None:
    recipe = recipes.build(read(files.blank_text()).data)
    assert [one.name for one in recipe.conditions] == ["baseline", "faster"]
    assert len(recipe.seeds) == 3
