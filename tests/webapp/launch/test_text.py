"""Recipes as YAML: what is written reads as the same recipe; what cannot be read says where and why."""

import pytest

from training.recipes import recipe as recipes
from webapp.launch import text as recipe_text
from webapp.launch.edited_recipe import Original
from webapp.launch.forms import RecipeText
from webapp.launch.text import TextError, read, with_sizes, write

SIZED = [(name, size) for name in recipes.names() for size in ("", *recipes.build(recipes.read(name)).scales)]
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
)
CHAIN = "- &a0 x\n" + "".join(f"- &a{i} [*a{i - 1}]\n" for i in range(1, 2000))


@pytest.mark.parametrize(("name", "size"), SIZED)
def test_what_is_written_reads_as_the_same_recipe(name: str, size: str) -> None:
    shipped = recipes.build(recipes.read(name))
    recipe = recipes.build(recipes.read(name), [("scale", size)] if size else [])
    assert recipes.build(with_sizes(read(write(recipe)).data, shipped.scales)) == recipe


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: b: c", 1, "no YAML"),
        ("x: 1\nx: 2", 2, "'x' is written twice"),
        ("x: 1\ny: !!python/object/apply:os.system ['true']", 2, "tag"),
        ("x: &x [*x]", 1, "holds itself"),
        (LAUGHS, 5, "more than 20,000 parts"),
        (CHAIN, 31, "too deep"),
        ("[" * 3000, 1, "too deep"),
        ("x: .nan", 1, "finite"),
        ("x: " + "9" * 5000, 1, "cannot be read"),
        ("x: !!bool x", 1, "cannot be read"),
        ('x: "\\ud800"', 1, "cannot be read"),
        ('x: "\\0"', 1, "cannot be stored"),
        ("? [a]\n: 1", 1, "single word"),
        ("- a", 1, "no mapping"),
        ("", 1, "no mapping"),
        ("x: \x07", 0, "no YAML"),
        ("x: " + "a" * recipe_text.MOST_BYTES, 0, "longer than 200 kB"),
    ],
)
def test_what_is_no_recipe_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(TextError, match=says) as caught:
        read(text)
    assert caught.value.line == line


def test_an_error_stands_at_the_line_of_its_setting() -> None:
    text = write(recipes.build(recipes.read("smoke"))).replace("  group_size:", "  groupsize:")
    found = RecipeText(text, Original(recipes.read("smoke")))
    assert found.recipe is None
    (mark,) = [one for one in found.marks if one[1].endswith("groupsize")]
    assert text.splitlines()[mark[0] - 1].strip().startswith("groupsize:")
    assert "did you mean 'group_size'?" in mark[2]


def test_dates_and_merges_are_plain_settings() -> None:
    assert read("a: &a {x: 1}\nb: {<<: *a, y: 2020-01-01}").data["b"] == {"x": 1, "y": "2020-01-01"}


def test_a_field_keeps_what_yaml_takes_for_a_comment() -> None:
    assert recipe_text.value("Try #2") == "Try #2"
    assert recipe_text.value("#2") == "#2"
    assert recipe_text.value("[a, b]  # two") == ["a", "b"]
