"""Run in a tree that has the plug-ins: prints, for each row of CONTRIBUTING's table, what holds there and what does not.

Arguments: the name of an experiment, and the id of a run in it that counted.
"""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from io import StringIO
from itertools import islice
from pathlib import Path

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402
from training.data.sources.counting import CountingSource  # noqa: E402

from tests import pages  # noqa: E402
from training.benchmarks import BENCHMARKS  # noqa: E402
from training.data.mixture import stream  # noqa: E402
from training.recipes import recipe as recipes  # noqa: E402
from training.rewards import components  # noqa: E402
from training.settings.errors import RecipeError  # noqa: E402
from training.stages import kinds_where  # noqa: E402
from webapp.launch import fields  # noqa: E402
from workers.cli.main import build_parser  # noqa: E402

EXPERIMENT, RUN = sys.argv[1:]
CLIENT = Client(headers={"host": "localhost"})
CLIENT.force_login(User.objects.get(username="ada"))
RECIPE = recipes.build(recipes.read("counting"))
FIELDS = {one.path: one for group in fields.groups(RECIPE) for one in group.every_field()}


def page(address: str) -> str:
    """What an address answers."""
    answer = CLIENT.get(address)
    assert answer.status_code == 200, f"{address} answers {answer.status_code}"
    return answer.content.decode()


def refused(path: str, value: object) -> str:
    """What is said of a recipe with this change."""
    try:
        recipes.build(recipes.read("counting"), [(path, value)])
    except RecipeError as error:
        return str(error)
    return ""


def choices(path: str) -> list[str]:
    """What a field offers."""
    return [value for value, _ in FIELDS[path].choices]


def stage() -> Mapping[str, bool]:
    return {
        "a recipe has it": RECIPE.stages[0].kind == "counting",
        "a misspelt kind is pointed to it": "counting" in refused("stages.counting.kind", "countin"),
        "a setting is checked": "at least 1" in refused("stages.counting.numbers", 0),
        "the form has its setting": FIELDS["stages.counting.numbers"].help == "Numbers to count",
        "queries find it by what it says": "counting" in kinds_where(lambda kind: kind.records_rollouts),
        "its experiment's page leads to rollouts": "/rollouts/" in page(f"/experiments/{EXPERIMENT}/"),
        "its run has a page": "counting" in page(f"/runs/{RUN}/"),
    }


def reward() -> Mapping[str, bool]:
    rewards = RECIPE.stages[1].rewards
    scores = components("1 2 3", "4", mul_tokens=0, rewards=rewards)
    return {
        "it scores": scores == {"counting": 0.5},
        "the form offers it": "counting" in choices("stages.grpo.rewards.counting.reward"),
        "the form has its weight": FIELDS["stages.grpo.rewards.counting.weight"].value == "0.5",
        "the form has its help": "one more than the number before" in page("/experiments/new/counting/"),
    }


def benchmark() -> Mapping[str, bool]:
    found = BENCHMARKS["counting"]
    problems = found.problems(3, data_dir=Path())
    return {
        "it asks": [problem.id for problem in problems] == ["after-00", "after-01", "after-02"],
        "it grades": found.grade(problems[2], " #### 3")[:2] == ("3", True),
        "the form offers it": "counting" in choices("benchmarks.counting.benchmark"),
        "it can decide": "counting" in choices("primary.benchmark"),
    }


def source() -> Mapping[str, bool]:
    drawn = list(islice(stream([CountingSource(source="counting", highest=9)], seed=0, data_dir=Path()), 20))
    return {
        "it yields": all(one.completion == f" #### {one.answer}" for one in drawn),
        "the form has its setting": FIELDS["stages.grpo.data.counting.highest"].value == "50",
        "a misspelt source is pointed to it": "counting"
        in refused("stages.grpo.data.counting.source", "countin"),
    }


def recipe() -> Mapping[str, bool]:
    return {"the gallery shows it": "Counting, and GRPO on it" in page("/experiments/new/")}


def finding() -> Mapping[str, bool]:
    listed = "| `counted` |" in Path("docs/findings.md").read_text()
    return {
        "a run's page shows it": "The stage counted" in page(f"/runs/{RUN}/findings/"),
        "it is listed": listed,
    }


def metric() -> Mapping[str, bool]:
    shown = page(f"/experiments/{EXPERIMENT}/comparison/?metric=counting_rate")
    table = json.loads(page(f"/experiments/{EXPERIMENT}/table.json?metric=counting_rate"))
    with redirect_stdout(StringIO()) as said, suppress(SystemExit):
        build_parser().parse_args(["table", "--help"])
    helped = said.getvalue()
    rates = [row["rate"] for row in table["rows"] if row["stage"] == "grpo"]
    return {
        "the page shows it": "Counting rate" in shown,
        "the command's help names it": "counting_rate" in helped,
        "the table has it": rates and all(r is not None for r in rates),
    }


def chart() -> Mapping[str, bool]:
    charts = json.loads(page(f"/runs/{RUN}/charts.json"))["charts"]
    return {"the run has it": "Numbers counted" in [one["title"] for one in charts]}


def file_format() -> Mapping[str, bool]:
    offered = f"/experiments/{EXPERIMENT}/tables/stages.counting"
    shown = page(f"/experiments/{EXPERIMENT}/comparison/")
    return {
        "a table is written": page(offered).endswith(" rows\n"),
        "the menu offers it": ".counting" in shown and "Counting" in shown,
        "the command line offers it": bool(
            build_parser().parse_args(["table", "demo-1", "--format", "counting"])
        ),
    }


def new_page() -> Mapping[str, bool]:
    return {
        "it answers": "experiment" in page("/counting/"),
        "the tests know it": pages.unknown() == (set(), set()),
    }


LOOKS: dict[str, Callable[[], Mapping[str, bool]]] = {
    "a kind of stage": stage,
    "a reward": reward,
    "a benchmark": benchmark,
    "a data source": source,
    "a recipe": recipe,
    "a finding": finding,
    "a metric of the comparison": metric,
    "a chart of a metric": chart,
    "an export format": file_format,
    "a page": new_page,
}
if __name__ == "__main__":
    print(
        json.dumps(
            {what: {key: bool(holds) for key, holds in look().items()} for what, look in LOOKS.items()}
        )
    )
