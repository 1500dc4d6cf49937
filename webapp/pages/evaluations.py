"""An evaluation's problems beside the one that is read, its samples, and its file."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.core.paginator import Page, Paginator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Left
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.http import urlencode
from django.utils.text import slugify
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from webapp.annotations import annotating
from webapp.pages import file_responses, stepper
from webapp.pages.rollouts.group_page import other_conditions
from webapp.pages.rollouts.prompt_lines import prompt_lines
from webapp.results import outcome_files
from webapp.results.models import GREEDY, Evaluation, Outcome
from webapp.results.outcome_counts import (
    SAMPLE_CHOICES,
    STEP_CHOICES,
    latest_accuracies,
    outcome_counts,
    with_samples,
)
from webapp.results.published import Publication, PublishedResult
from webapp.runs.models import StageRun
from webapp.statistics.proportions import wilson
from webapp.telemetry.groups import PROMPT_READ
from webapp.telemetry.rollouts import CHOICES

SHOWN = 25  # problems on a page
SPEAKER = re.compile(r"^\w+: ")
MOST_GROUPS = 12  # of problems, as choices of the list; a benchmark of more has them in the comparison alone
KINDS = ("Outcome", "Kind of problem", "Checks", "Labels")  # of choices, in their order
CHECKS = ("repeats", "hit_limit", *STEP_CHOICES)  # of what a completion is like
SAID = {"correct": "right"}  # as the signs beside each problem say it
SHARED_LABELS = {
    "decoding": "Decoding",
    "max_new_tokens": "Token limit",
    "grader": "Grader",
    "samples": "Samples a problem",
    "temperature": "Temperature",
}


@dataclass(frozen=True)
class OtherAnswer:
    """What the checkpoint of another condition, of the same stage and seed, answered to a problem."""

    run: StageRun
    evaluation: int
    outcome: Outcome | None  # None: it was not asked this problem, or not yet


class ChoicesOfAKind(NamedTuple):
    """Choices of the list that are about one thing."""

    kind: str
    some: list[tuple[str, str, int]]  # address, label, how many problems fit
    none: list[str]  # labels of those that no problem fits


@require_GET
def evaluation_file(request: HttpRequest, evaluation_id: int, format: str) -> HttpResponseBase:
    """The completions of an evaluation, streamed; ?only= as on its page, else every one with its samples."""
    file_responses.check(format)
    found = get_object_or_404(Evaluation.objects.select_related(*outcome_files.RELATED), pk=evaluation_id)
    only = request.GET.get("only", "")
    choices = CHOICES | STEP_CHOICES | SAMPLE_CHOICES | _more_choices(found, _others(found))
    if only not in choices:
        return HttpResponseBadRequest(
            f"there is no choice {only!r}; take one of {', '.join(filter(None, choices))}\n",
            content_type="text/plain",
        )
    experiment = found.attempt.stage_run.experiment
    made = outcome_files.rows(experiment, [found], choices[only][1] if only else None)
    name = f"{experiment.name}-evaluation-{found.pk}{f'-{slugify(only)}' if only else ''}"
    return file_responses.rows_response(made, format, name)


@require_GET
@vary_on_headers("HX-Request")
def evaluation(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """The problems behind an accuracy beside the texts of one, ?problem=; ?only=correct|wrong|…, ?page=. For htmx the one alone."""
    related = ("attempt__stage_run__condition", "attempt__stage_run__stage", "attempt__stage_run__experiment")
    found = get_object_or_404(Evaluation.objects.select_related(*related), pk=evaluation_id)
    if found.published is not None:
        return render(request, "results/published.html", _published(found))
    wanted = request.GET.get("problem", "")
    greedy = found.outcomes.filter(sample=GREEDY).order_by("problem")
    read = with_samples(greedy).filter(problem=wanted).first() if wanted else None
    if wanted and read is None:
        raise Http404("there is no such problem in this evaluation; open it from the list of problems")
    if read is not None and "HX-Request" in request.headers:
        answers = _answers(_others(found), [read.problem])
        return render(request, "results/_read_problem.html", _read(found, read, answers))
    only = request.GET.get("only", "")
    choices = CHOICES | STEP_CHOICES | (SAMPLE_CHOICES if found.settings.get("samples") else {})
    others = _others(found)
    choices |= _more_choices(found, others)
    only = only if only in choices else ""
    counts = outcome_counts(found.pk, {key: condition for key, (_, condition) in choices.items()})
    page = _page(greedy.filter(choices[only][1]), wanted, request.GET.get("page"))
    listed = list(page.object_list)
    first = next(iter(listed), None)
    shown = [one.problem for one in listed]
    answers = _answers(others, [*shown, read.problem] if read else shown)
    context = {
        "evaluation": found,
        "run": found.attempt.stage_run,
        "experiment": found.attempt.stage_run.experiment,
        "page": page,
        "rows": [
            (one, line, answers.get(one.problem, ()))
            for one, line in zip(listed, _beginnings(listed), strict=True)
        ],
        "others": [run for run, _ in others],
        "choices": _by_kind({key: (label, counts[key]) for key, (label, _) in choices.items()}, only),
        "only": only,
        "only_query": urlencode({"only": only}),
        "correct": counts["correct"],
        "counted": counts[""],
        "rate": counts["correct"] / counts[""] if counts[""] else None,
        "only_label": choices[only][0],
        "shared": {SHARED_LABELS[key]: found.settings[key] for key in SHARED_LABELS if key in found.settings},
        "interval": wilson(counts["correct"], counts[""]) if counts[""] else None,
        "gradings": _other_gradings(found),
        "nav": "experiments",
    } | _read(found, read or (first and with_samples(greedy).get(pk=first.pk)), answers)
    return render(request, "results/evaluation.html", context)


def _by_kind(choices: Mapping[str, tuple[str, int]], only: str) -> list[ChoicesOfAKind]:
    """The choices of the list, by what they are about; those that nothing fits are only named."""
    kinds: dict[str, list[tuple[str, str, int]]] = {kind: [] for kind in KINDS}
    for key, (label, count) in choices.items():
        kind = "Outcome"
        if key.startswith("group:"):
            kind, label = "Kind of problem", label.replace("_", " ")
        elif key in CHECKS:
            kind = "Checks"
        elif key not in CHOICES and not key.startswith("differs:") and key not in SAMPLE_CHOICES:
            kind = "Labels"
        kinds[kind].append((key, SAID.get(key, label), count))
    return [
        ChoicesOfAKind(
            kind,
            [one for one in of_kind if one[2] or one[0] in ("", only)],
            [label for key, label, count in of_kind if not count and key not in ("", only)],
        )
        for kind, of_kind in kinds.items()
    ]


def _beginnings(listed: Sequence[Outcome]) -> list[str]:
    """How the prompt of each begins, in a line, without who speaks."""
    lines = prompt_lines([one.beginning for one in listed])  # type: ignore[attr-defined]  # annotated by _page
    return [SPEAKER.sub("", line) for line in lines]


def _read(
    found: Evaluation, read: Outcome | None, answers: Mapping[str, Sequence[OtherAnswer]]
) -> dict[str, Any]:
    """The problem that is read, with its annotations, the others' answers and where its way through training stands."""
    return {
        "read": read,
        "other_answers": answers.get(read.problem, ()) if read else (),
        "annotated": annotating.of_each("outcome", [read.pk] if read else []),
        "opened": stepper.opened(found.attempt.stage_run, found.benchmark),
    }


def _others(found: Evaluation) -> list[tuple[StageRun, int]]:
    """The runs of the other conditions with their evaluations that count; without those that are the same run. Two queries."""
    own = found.attempt.stage_run
    runs = [run for run in other_conditions(own) if run.computed_by != own.computed_by]
    counting = latest_accuracies([run.pk for run in runs], found.benchmark)
    return [(run, counting[run.pk].evaluation) for run in runs if run.pk in counting]


def _answers(others: Iterable[tuple[StageRun, int]], problems: Iterable[str]) -> dict[str, list[OtherAnswer]]:
    """Problem → what each of the others answered. One query."""
    others, wanted = list(others), list(problems)
    read = Outcome.objects.filter(
        evaluation__in=[evaluation for _, evaluation in others], sample=GREEDY, problem__in=wanted
    ).only("evaluation", "problem", "correct", "final_answer")
    known = {(one.evaluation_id, one.problem): one for one in read}
    return {
        problem: [
            OtherAnswer(run, evaluation, known.get((evaluation, problem))) for run, evaluation in others
        ]
        for problem in wanted
    }


def _more_choices(found: Evaluation, others: Iterable[tuple[StageRun, int]]) -> dict[str, tuple[str, Q]]:
    """The choices of its list that not every evaluation has."""
    return _differing(others) | _groups(found) | _annotated(found)


def _differing(others: Iterable[tuple[StageRun, int]]) -> dict[str, tuple[str, Q]]:
    """The problems that another condition's checkpoint has wrong and this one right, or the other way round, as choices of its list."""
    theirs = Outcome.objects.filter(sample=GREEDY, problem=OuterRef("problem")).exclude(
        correct=OuterRef("correct")
    )
    return {
        f"differs:{run.condition.name}": (
            f"unlike {run.condition.name}",
            Q(Exists(theirs.filter(evaluation=evaluation))),
        )
        for run, evaluation in others
    }


def _groups(found: Evaluation) -> dict[str, tuple[str, Q]]:
    """The groups that its problems belong to, as choices of its list. One query."""
    labelled = found.outcomes.filter(sample=GREEDY).exclude(labels=None).order_by()
    lists = labelled.values_list("labels", flat=True).distinct()
    names = sorted({str(one) for labels in lists if isinstance(labels, list) for one in labels})
    if len(names) > MOST_GROUPS:
        return {}
    return {f"group:{name}": (name, Q(labels__contains=[name])) for name in names}


def _annotated(found: Evaluation) -> dict[str, tuple[str, Q]]:
    """What its outcomes were labelled and commented with, as choices of its list."""
    offered = annotating.choices("outcome", evaluation=found)
    return {
        key: (words, Q(pk__in=annotating.those("outcome", key, evaluation=found)))
        for key, words in offered.items()
    }


def _page(listed: QuerySet[Outcome], wanted: str, number: str | None) -> Page[Any]:
    """The asked page of a list without its texts; where none is asked for, that with the wanted problem."""
    if wanted and number is None:
        number = str(listed.filter(problem__lt=wanted).count() // SHOWN + 1)
    shown = with_samples(listed).defer("prompt", "completion", "labels")
    return Paginator(shown.annotate(beginning=Left("prompt", PROMPT_READ)), SHOWN).get_page(number)


def _other_gradings(found: Evaluation) -> QuerySet[Evaluation]:
    """The same completions as other versions of the grader graded them, the newest first."""
    same = Evaluation.objects.filter(attempt=found.attempt_id, seq=found.seq).exclude(pk=found.pk)
    return same.order_by("-grading")


@require_GET
def samples(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Every completion of one problem, ?problem=: the greedy one, then the samples."""
    related = ("attempt__stage_run__condition", "attempt__stage_run__stage", "attempt__stage_run__experiment")
    found = get_object_or_404(Evaluation.objects.select_related(*related), pk=evaluation_id)
    outcomes = list(found.outcomes.filter(problem=request.GET.get("problem", "")).order_by("sample"))
    if not outcomes:
        raise Http404("there is no such problem in this evaluation; open it from the list of problems")
    context = {
        "evaluation": found,
        "run": found.attempt.stage_run,
        "experiment": found.attempt.stage_run.experiment,
        "problem": outcomes[0].problem,
        "outcomes": outcomes,
        "annotated": annotating.of_each("outcome", [one.pk for one in outcomes]),
        "right": sum(one.correct for one in outcomes if one.sample != GREEDY),
        "drawn": sum(one.sample != GREEDY for one in outcomes),
        "nav": "experiments",
    }
    return render(request, "results/samples.html", context)


def _published(found: Evaluation) -> dict[str, Any]:
    """Context of the page of an imported evaluation: its numbers, and that there is no more."""
    assert found.published is not None
    run = found.attempt.stage_run
    publication = Publication.model_validate(run.experiment.recipe)
    (result,) = [
        result
        for stage, benchmark, condition, result in publication.results()
        if (stage, benchmark, condition) == (run.stage.name, found.benchmark, run.condition.name)
    ]
    numbers = result.model_dump(exclude={"note"}, exclude_none=True)
    return {
        "evaluation": found,
        "run": run,
        "experiment": run.experiment,
        "numbers": {PublishedResult.model_fields[name].description: value for name, value in numbers.items()},
        "note": result.note,
        "source": publication.source,
        "nav": "experiments",
    }
