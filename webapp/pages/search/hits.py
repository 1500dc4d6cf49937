"""Search over everything that has a page: experiments, runs, recipes, saved views, pages, and things to do."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from django.db.models import Count, Q, QuerySet
from django.urls import NoReverseMatch, reverse

from training.recipes import recipe as recipes
from webapp.accounts import saved
from webapp.annotations import annotating
from webapp.comparison.answers import kept_answers
from webapp.experiments.finding import TAG_WORDS
from webapp.experiments.models import Experiment
from webapp.pages.experiments import querysets
from webapp.runs.models import StageRun, in_words

WORDS = 8
EXPERIMENTS_SHOWN = 8
EXPERIMENTS_SEARCHED = 20  # whose runs are looked through, the newest first
RUNS_SHOWN = 8
RECIPES_SHOWN = 6
VIEWS_SHOWN = 5
LABELS_SHOWN = 5


@dataclass(frozen=True)
class Hit:
    """Something found, and where it is."""

    group: str
    title: str
    detail: str
    url: str
    state: str = ""  # of an experiment
    result: str = ""  # of an experiment: its first difference
    verdict: str = ""  # of that, in a word
    reach: tuple[str, ...] = ()  # of that, in tags: its problems, one seed
    inside: bool = False  # a page of the experiment before it


@dataclass(frozen=True)
class DashboardPage:
    """A page of the dashboard by its URL name, with the words by which people look for it."""

    group: str
    title: str
    route: str
    words: str = ""


PLACES = (
    DashboardPage("Do", "New experiment", "new_experiment", "launch start recipe gallery"),
    DashboardPage("Pages", "Overview", "overview", "home start now attention"),
    DashboardPage("Pages", "Experiments", "experiments", "list all runs"),
    DashboardPage("Pages", "Workers", "workers", "devices gpu slots drain"),
    DashboardPage("Pages", "Compare experiments", "compare", "across"),
    DashboardPage("Pages", "Notifications", "notifications", "settings webhook e-mail email bell"),
    DashboardPage("Pages", "Saved views", "saved_views", "bookmarks"),
    DashboardPage("Pages", "Account", "account", "theme dark light sign out settings"),
    DashboardPage("Pages", "Help", "help", "docs documentation glossary words statistics manual"),
    DashboardPage("Pages", "Keyboard shortcuts", "help_shortcuts", "keys help"),
)
NOUNS = {
    "Do": "action",
    "Experiments": "experiment",
    "Runs": "run",
    "Recipes": "recipe",
    "Saved views": "saved view",
    "Labels": "label",
    "Pages": "page",
}
OF_EXPERIMENT = (("Comparison", "comparison"), ("Report", "report"), ("Problem map", "problem_map"))


def search(text: str, user_id: int | None) -> list[Hit]:
    """What fits every word, the likeliest first; without a word what can be done and the newest experiments."""
    words = text.casefold().replace(",", " ").replace("/", " ").split()[:WORDS]
    kinds = [kind for kind in OF_EXPERIMENT if any(_begins(kind[0], w) and len(w) > 2 for w in words)]
    named = [w for w in words if not any(_begins(title, w) for title, _ in kinds)]
    # "report" asks for a page, unless an experiment is called so
    experiments = (_experiments(words) if kinds else []) or _experiments(named)
    hits = [
        *(hit for one in experiments[:3] for hit in _pages_of(one, kinds)),
        *_numbered(words),
        *_of_experiments(experiments, with_pages=bool(named) and not kinds),
    ]
    if named:
        hits += [hit for hit in _runs(named) if hit not in hits]
    return [
        *_of_group("Do", words),
        *hits,
        *_recipes(words),
        *_views(words, user_id),
        *_labels(words),
        *_of_group("Pages", words),
    ]


def with_pages(hits: Sequence[Hit]) -> list[tuple[Hit, list[tuple[str, str]]]]:
    """The hits without the pages that stand inside an experiment, each with those of it: (title, address)."""
    found: list[tuple[Hit, list[tuple[str, str]]]] = []
    for hit in hits:
        if hit.inside and found:
            found[-1][1].append((hit.title.partition(" of ")[0], hit.url))
        else:
            found.append((hit, []))
    return found


def counted(hits: Sequence[Hit]) -> str:
    """'1 experiment, 8 runs': what was found, in the order in which it stands; pages of an experiment are not counted apart."""
    counts = Counter(
        NOUNS[one.group if one.state or one.group != "Experiments" else "Pages"]
        for one in hits
        if not one.inside
    )
    return ", ".join(f"{count} {noun}{'s' * (count != 1)}" for noun, count in counts.items())


def as_json(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """For the palette."""
    return [asdict(hit) for hit in hits]


def _begins(title: str, word: str) -> bool:
    """Whether a word of the title begins so."""
    return any(part.startswith(word) for part in title.casefold().split())


def _experiments(words: Sequence[str]) -> list[Experiment]:
    wanted = Q()
    for word in words:
        wanted &= Q(name__icontains=word) | Q(title__icontains=word) | Q(tag_words__icontains=word)
    found = Experiment.objects.alias(tag_words=TAG_WORDS).filter(wanted, archived_at=None)
    found = found.only("name", "title", "recipe_name", "imported")
    return list(found[:EXPERIMENTS_SHOWN])


def _of_experiments(experiments: Sequence[Experiment], *, with_pages: bool) -> Iterator[Hit]:
    """Each with its state and what is kept of its answer; `with_pages`: and the pages of the first. Two queries."""
    states: dict[int, Counter[str]] = defaultdict(Counter)
    runs = StageRun.objects.filter(experiment__in=experiments).order_by()
    for pk, state, count in runs.values_list("experiment", "state").annotate(Count("pk")):
        states[pk][state] = count
    known = kept_answers.answers(experiments, seconds=0)[
        0
    ]  # reads none anew: it is asked while somebody types
    for place, one in enumerate(experiments):
        answer = known.get(one.pk)
        first = next((found for found in answer.strongest if found.said), None) if answer else None
        yield Hit(
            "Experiments",
            one.name,
            one.title,
            reverse("experiment", args=[one.name]),
            state="imported" if one.imported else querysets.overall(states[one.pk]),
            result=first.said if first else answer.so_far if answer else "",
            verdict=first.verdict.word if first and first.verdict else "",
            reach=first.reach if first else (),
        )
        if with_pages and not place:
            yield from _pages_of(one, OF_EXPERIMENT, inside=True)


def _pages_of(
    experiment: Experiment, kinds: Sequence[tuple[str, str]], *, inside: bool = False
) -> Iterator[Hit]:
    for title, route in kinds:
        address = reverse(route, args=[experiment.name])
        yield Hit("Experiments", f"{title} of {experiment.name}", "", address, inside=inside)


def _numbered(words: Sequence[str]) -> Iterator[Hit]:
    """A run by its number: "12", "run 12", "demo-1 run 12"."""
    after = next((list(words[at + 1 : at + 2]) for at, word in enumerate(words) if word == "run"), [])
    numbers = [word.removeprefix("#") for word in after or words]
    if len(numbers) == 1 and numbers[0].isdecimal() and len(numbers[0]) < 19:
        for run in _with_names().filter(pk=int(numbers[0])):
            yield _of_run(run)


def _runs(words: Sequence[str]) -> list[Hit]:
    """Runs by words of their experiment, stage, condition and seed, in the newest experiments that fit one of them."""
    words = [word for word in words if word not in ("run", "seed")]
    in_name, in_run, every_word = Q(), Q(), Q()
    for word in words:
        own = Q(stage__name__icontains=word) | Q(stage__kind__icontains=word)
        own |= Q(condition__name__icontains=word)
        if word.isdecimal() and len(word) < 10:
            own |= Q(seed=int(word))
            every_word &= own
        else:
            every_word &= own | Q(experiment__name__icontains=word)
        in_name |= Q(name__icontains=word)
        in_run |= own
    newest = Experiment.objects.filter(archived_at=None).order_by("-pk").values_list("pk", flat=True)
    candidates = list(newest.filter(in_name)[:EXPERIMENTS_SEARCHED]) or list(newest[:EXPERIMENTS_SEARCHED])
    found = _with_names().filter(every_word, in_run, experiment__in=candidates)
    order = ("-experiment_id", "-stage__position", "condition__position", "seed")
    return [_of_run(run) for run in found.order_by(*order)[:RUNS_SHOWN]]


def _with_names() -> QuerySet[StageRun]:
    return StageRun.objects.select_related("experiment", "stage", "condition").only(
        "seed", "state", "experiment__name", "stage__name", "stage__kind", "condition__name"
    )


def _of_run(run: StageRun) -> Hit:
    title = f"{run.experiment.name} / {run.stage.name}, {run.condition.name}, seed {run.seed}"
    return Hit("Runs", title, f"run {run.pk}, {in_words(run.state)}", reverse("run", args=[run.pk]))


@cache
def _titles() -> dict[str, str]:
    """Name → title of the shipped recipes, which do not change while a process runs."""
    return {name: str(recipes.shipped(name).get("title", "")) for name in recipes.names()}


def _recipes(words: Sequence[str]) -> list[Hit]:
    if not words:
        return []
    return [
        Hit("Recipes", f"Set up {name}", title, reverse("new_from_recipe", args=[name]))
        for name, title in _titles().items()
        if all(word in f"{name} {title} recipe set up".casefold() for word in words)
    ][:RECIPES_SHOWN]


def _views(words: Sequence[str], user_id: int | None) -> list[Hit]:
    found = saved.visible_to(user_id)
    for word in words:
        found = found.filter(name__icontains=word)
    return [Hit("Saved views", view.name, view.address, view.address) for view in found[:VIEWS_SHOWN]]


def _labels(words: Sequence[str]) -> Iterator[Hit]:
    """Lists of the rollouts and the problems that people gave a label."""
    if not words:
        return
    for label, name, count in annotating.found(
        "rollout", words, "attempt__stage_run__experiment__name", LABELS_SHOWN
    ):
        address = reverse("experiment_rollouts", args=[name])
        yield Hit("Labels", f"Rollouts of {name} labelled {label}", f"{count}", f"{address}?{_marked(label)}")
    for label, pk, count in annotating.found("outcome", words, "evaluation", LABELS_SHOWN):
        address = reverse("evaluation", args=[pk])
        yield Hit(
            "Labels",
            f"Problems labelled {label}",
            f"{count}",
            f"{address}?only={quote(annotating.LABELLED + label)}",
        )


def _marked(label: str) -> str:
    return f"marked={quote(annotating.LABELLED + label)}"


def _of_group(group: str, words: Sequence[str]) -> Iterator[Hit]:
    for place in PLACES:
        if place.group != group or not all(w in f"{place.title} {place.words}".casefold() for w in words):
            continue
        try:
            yield Hit(place.group, place.title, "", reverse(place.route))
        except NoReverseMatch:
            continue  # this installation has no such page
