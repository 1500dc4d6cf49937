"""Rewards of other packages: installed distributions with an entry point, seen by processes that start afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import TINY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
BREVITY = '''
from typing import Literal

from pydantic import Field

from training.settings import Reward


class BrevityReward(Reward):
    """0.5 for a completion of few words."""

    reward: Literal["brevity"]
    words: int = Field(8, ge=1, description="Fewest words that no longer count as few")

    def score(self, completion, reference, *, mul_tokens):
        return 0.5 if len(completion.split()) < self.words else 0.0
'''


class Site:
    """A folder of installed packages, and Python processes that see it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, package: str, source: str, **points: str) -> None:
        """A distribution `package` 1.2 with one module and its entry points, as pip leaves them."""
        module = package.replace("-", "_")
        (self.folder / f"{module}.py").write_text(source)
        info = self.folder / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = "\n".join(f"{name} = {module}:{target}" for name, target in points.items())
        (info / "entry_points.txt").write_text(f"[mulberry.rewards]\n{lines}\n")

    def python(self, *arguments: str, code: int = 0) -> str:
        """Run Python in the project, with the folder on its path; return what it prints."""
        path = os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def problems(self, *rewards: dict[str, Any]) -> list[str]:
        """Why the tiny recipe with each of these rewards alone is refused; empty where it is not."""
        found: list[str] = json.loads(
            self.python("-c", REFUSED, json.dumps([with_rewards([reward]) for reward in rewards]))
        )
        return found


REFUSED = """
import json, sys
from training.recipes import recipe
found = []
for data in json.loads(sys.argv[1]):
    try:
        recipe.build(data)
        found.append("")
    except recipe.RecipeError as error:
        found.append(str(error))
print(json.dumps(found))
"""


def with_rewards(rewards: list[dict[str, Any]]) -> dict[str, Any]:
    stages = [{**s, "rewards": rewards} if s["kind"] == "grpo" else s for s in TINY["stages"]]
    return {**TINY, "stages": stages}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder)


@pytest.mark.slow
def test_a_plug_in_trains_with_its_own_settings(site: Site, tmp_path: Path) -> None:
    rash = "        if len(completion) % 2:\n            raise KeyError('odd')\n        return 0.5 if"
    source = BREVITY.replace("        return 0.5 if", rash)
    site.install("acme-rewards", source, brevity="BrevityReward")
    rewards = [{"reward": "correct"}, {"reward": "brevity", "words": 4, "weight": 2.0}]
    stages = with_rewards(rewards)["stages"]
    small = next(s for s in stages if s["kind"] == "grpo") | {"prompts": 4, "after": None}
    data = {**TINY, "stages": [small], "conditions": TINY["conditions"][:1]}
    site.python(
        "-c",
        "import json, sys; from training.recipes import recipe; "
        "spec = recipe.resolve(recipe.build(json.loads(sys.argv[1])))[0]; "
        "open(sys.argv[2], 'w').write(recipe.RunSpec(spec=spec).model_dump_json())",
        json.dumps(data),
        str(tmp_path / "spec.json"),
    )
    site.python("-m", "training", str(tmp_path))
    from tests.training.conftest import Journal

    rows = [row for rows in Journal(tmp_path).rollouts().values() for row in rows]
    assert len(rows) == 16
    for row in rows:
        short = len(row["completion"].split()) < 4 and not len(row["completion"]) % 2
        assert row["components"]["brevity"] == (1.0 if short and not row["correct"] else 0.0)
    (values,) = Journal(tmp_path).metrics().values()
    assert "reward/brevity" in values
    failed = sum(len(row["completion"]) % 2 for row in rows)
    assert 0 < failed < 16, "else the test shows nothing"
    assert values["reward_errors/brevity"] == failed / 16
    assert "reward_errors/correct" not in values, "Mulberry's own may not fail"
    (told,) = [one for one in Journal(tmp_path).records("log") if "reward 'brevity' failed" in one["text"]]
    assert told["level"] == "warning" and "KeyError: 'odd'" in told["text"]


def test_recipes_know_a_plug_ins_settings(site: Site) -> None:
    site.install("acme-rewards", BREVITY, brevity="BrevityReward")
    right, misspelt, too_small, unknown = site.problems(
        {"reward": "brevity"},
        {"reward": "brevity", "word": 3},
        {"reward": "brevity", "words": 0},
        {"reward": "brevty"},
    )
    assert right == ""
    assert "there is no setting 'word'; did you mean 'words'?" in misspelt
    assert "rewards.brevity.words: must be at least 1, not 0" in too_small
    assert "there is no reward 'brevty'; did you mean 'brevity'?" in unknown
    said = site.python(
        "-c",
        "import json, sys; from training.recipes import recipe; "
        "built = recipe.build(json.loads(sys.argv[1]), [('stages.grpo.rewards.brevity.words', 3)]); "
        "print(built.stages[3].rewards); "
        "again = recipe.build(built.model_dump(mode='json'), [('stages.grpo.rewards.brevity.reward', 'correct')]); "
        "print(again.stages[3].rewards)",
        json.dumps(with_rewards([{"reward": "brevity", "weight": 2.0}])),
    )
    assert said.splitlines() == [
        "[BrevityReward(reward='brevity', weight=2.0, words=3)]",
        "[CorrectReward(reward='correct', weight=2.0)]",
    ]


FORM = """
import json, sys
import django
django.setup()
from webapp.launch.forms import RecipeForm
form = RecipeForm(json.loads(sys.argv[1]))
groups = {g.path: g for top in form.groups for g in top.every_group()}
group = groups["stages.grpo.rewards.brevity"]
fields = {f.path.rpartition(".")[2]: f for f in group.fields}
print(json.dumps([group.help, fields["words"].value, fields["words"].help, fields["reward"].choices[-1]]))
"""


def test_the_form_shows_a_plug_ins_help_and_settings(site: Site) -> None:
    site.install("acme-rewards", BREVITY, brevity="BrevityReward")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    said = json.loads(site.python("-c", FORM, json.dumps(with_rewards([{"reward": "brevity"}]))))
    assert said == [
        "0.5 for a completion of few words.",
        "8",
        "Fewest words that no longer count as few",
        ["brevity", "brevity"],
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "import nothing_like_this",
            "ModuleNotFoundError: No module named 'nothing_like_this'; fix or uninstall",
        ),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("", "AttributeError"),
        ("BrevityReward = 3", "it is no subclass of training.settings.Reward"),
        (BREVITY.replace('"brevity"', '"short"'), 'it lacks the line `reward: Literal["brevity"]`'),
        (BREVITY.replace("def score", "def points"), "it has no score()"),
        (BREVITY.replace("8, ge=1", "..., ge=1"), "its setting 'words' needs a default and a description"),
        (BREVITY.replace('"""0.5 for a completion of few words."""', ""), "it has no docstring"),
    ],
)
def test_a_broken_plug_in_is_named_with_its_package(site: Site, source: str, text: str) -> None:
    site.install("acme-rewards", source, brevity="BrevityReward")
    said, other = site.problems({"reward": "brevity"}, {"reward": "correct"})
    assert "reward 'brevity' of acme-rewards 1.2: acme_rewards:BrevityReward cannot be used: " in said
    assert text in said
    assert other == "", "everything else goes on"


def test_two_packages_with_one_name_are_both_named(site: Site) -> None:
    site.install("acme-rewards", BREVITY, brevity="BrevityReward")
    site.install("other-rewards", BREVITY, brevity="BrevityReward")
    (said,) = site.problems({"reward": "brevity"})
    assert "acme-rewards 1.2 and other-rewards 1.2 both have that name; uninstall one" in said


def test_doctor_lists_plug_ins_and_what_is_wrong_with_them(site: Site, tmp_path: Path) -> None:
    site.install("acme-rewards", BREVITY, brevity="BrevityReward")
    site.install("rash-rewards", BREVITY.replace("brevity", "correct"), correct="BrevityReward")
    doctor = "import sys; from workers.cli.main import main; sys.exit(main(['doctor', '--json']))"
    checks = json.loads(site.python("-c", doctor, code=1))
    found = {check["text"]: check["good"] for check in checks if check["name"] == "plug-in"}
    assert found == {
        "reward 'brevity' of acme-rewards 1.2": True,
        "reward 'correct' of rash-rewards 1.2: it has the name of one of Mulberry's own, which is used instead; "
        "give it another name": False,
    }
    assert site.problems({"reward": "correct"}) == [""]
