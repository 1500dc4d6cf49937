"""What somebody new does first: read the demo, launch a small recipe, compare. Shown until they put it aside."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils import timezone

from webapp.accounts.models import Preferences
from webapp.experiments.models import Experiment
from webapp.results.models import Evaluation

DEMO, SMALL = "demo", "smoke"  # recipes
FEW = 4  # experiments from which on an installation is not new any more
OPENED = {
    "demo": "read_demo_at",
    "comparison": "compared_at",
}  # step → where it is kept that a person took it


@dataclass(frozen=True)
class FirstStep:
    """One of the three."""

    title: str
    detail: str
    url: str  # empty: not yet
    done: bool


@dataclass(frozen=True)
class FirstSteps:
    """The steps of a person; none where they were put aside, or others have worked here."""

    steps: Sequence[FirstStep] = ()
    launched: bool = True  # something was launched here: the steps are a reminder and take one line

    def __bool__(self) -> bool:
        return bool(self.steps)


def first_steps(user_id: int) -> FirstSteps:
    """The steps with what is done of them. Two queries."""
    names = list(
        Experiment.objects.filter(imported=False).order_by("-pk").values_list("name", "recipe_name")[:FEW]
    )
    own = [name for name, recipe in names if recipe != DEMO]
    if len(names) == FEW and len(own) > 1:
        return FirstSteps()
    known = Preferences.objects.filter(user=user_id).first() or Preferences(user_id=user_id)
    if known.steps_hidden_at is not None:
        return FirstSteps()
    demo = any(recipe == DEMO for _, recipe in names)
    read = reverse("first_step", args=["demo"]) if demo else reverse("new_from_recipe", args=[DEMO])
    steps = (
        FirstStep(
            "Read the demo" if demo else "Launch the demo",
            "Two conditions after six stages: the verdict, the interval, and the problems behind each number."
            if demo
            else "Two conditions, six stages, about three minutes on two cores.",
            read,
            known.read_demo_at is not None,
        ),
        FirstStep(
            f"Launch {SMALL}",
            "The smallest recipe, about a minute. Change a setting, and the plan says what it takes.",
            reverse("new_from_recipe", args=[SMALL]),
            bool(own),
        ),
        FirstStep(
            "Compare",
            "Which differences are real, which problems flipped, and what a completion looks like."
            if own
            else "When its first stages are evaluated.",
            reverse("first_step", args=["comparison"]) if own else "",
            known.compared_at is not None,
        ),
    )
    return FirstSteps(steps, launched=bool(names))


def take(step: str, user_id: int) -> str | None:
    """Note that a person takes a step, and say where it leads; None where there is nothing to open. `step` is in OPENED."""
    evaluated = Exists(Evaluation.objects.filter(attempt__stage_run__experiment=OuterRef("pk")))
    every = Experiment.objects.filter(imported=False).order_by(
        evaluated.desc(), "-pk"
    )  # what has an answer first
    found = (every.filter(recipe_name=DEMO) if step == "demo" else every.exclude(recipe_name=DEMO)).first()
    if found is None:
        return None
    Preferences.objects.update_or_create(user_id=user_id, defaults={OPENED[step]: timezone.now()})
    return reverse("experiment" if step == "demo" else "comparison", args=[found.name])


def put_aside(user_id: int) -> None:
    """Show the steps no more."""
    Preferences.objects.update_or_create(user_id=user_id, defaults={"steps_hidden_at": timezone.now()})
