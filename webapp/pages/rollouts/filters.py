"""What a list of groups is narrowed to and sorted by: the form above it, which is also its URL."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from django import forms
from django.contrib.postgres.search import SearchQuery
from django.core.exceptions import ValidationError
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import QueryDict

from webapp.annotations import annotating
from webapp.runs.models import StageRun
from webapp.telemetry import groups, search, series
from webapp.telemetry.groups import SORTS, Holding
from webapp.telemetry.models import Rollout, RolloutGroup
from webapp.telemetry.rollouts import CHOICES

MARKS = tuple(name for name in CHOICES if name not in ("", "correct", "wrong"))  # boxes to tick
OF_RUNS: dict[str, Callable[[StageRun], str]] = {  # what tells the runs of an experiment apart
    "condition": lambda run: run.condition.name,
    "stage": lambda run: run.stage.name,
    "seed": lambda run: str(run.seed),
}
SOLVED = {  # ?solved=: what it is called, and which groups it shows
    "": ("any", Q()),
    "none": ("by none", Q(correct=0)),
    "some": ("by some", Q(correct__gt=0, correct__lt=F("rollouts"))),
    "all": ("by all", Q(correct=F("rollouts"))),
}
OF_GROUPS = ("solved", "mixed", "became_right")  # what is asked of whole groups
OF_ROLLOUTS: dict[str, tuple[Callable[[Any], Q], Callable[[Any], Q]]] = {
    # what is asked of a rollout, and what that alone says of its group
    "answer": (
        lambda value: CHOICES[value][1],
        lambda value: Q(correct__gt=0) if value == "correct" else Q(correct__lt=F("rollouts")),
    ),
    "from_reward": (lambda value: Q(reward__gte=value), lambda value: Q(highest__gte=value)),
    "to_reward": (lambda value: Q(reward__lte=value), lambda value: Q(lowest__lte=value)),
    "mul_tokens": (lambda _: CHOICES["mul_tokens"][1], lambda _: Q(mul_tokens__gt=0)),
    "repeats": (lambda _: CHOICES["repeats"][1], lambda _: Q(repeats__gt=0)),
    "hit_limit": (lambda _: CHOICES["hit_limit"][1], lambda _: Q(hit_limit__gt=0)),
}


class RolloutFilter(forms.Form):
    """Every condition holds at once, those of rollouts for one and the same; an empty one narrows nothing."""

    words = forms.CharField(
        label="Words",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"placeholder": 'words, "a phrase", -not', "type": "search"}),
    )
    solved = forms.ChoiceField(
        label="Solved", required=False, choices=[(name, label) for name, (label, _) in SOLVED.items()]
    )
    mixed = forms.BooleanField(
        label="mixed rewards",
        required=False,
        widget=forms.CheckboxInput(attrs={"title": "they differ, so that the group gives a gradient"}),
    )
    became_right = forms.BooleanField(
        label="became right later",
        required=False,
        widget=forms.CheckboxInput(
            attrs={"title": "some are right, of a prompt that none solved at an earlier step of the run"}
        ),
    )
    from_step = forms.IntegerField(label="From step", required=False, min_value=0)
    to_step = forms.IntegerField(label="To step", required=False, min_value=0)
    from_reward = forms.FloatField(label="Reward from", required=False)
    to_reward = forms.FloatField(label="Reward to", required=False)
    answer = forms.ChoiceField(
        label="Answer", required=False, choices=[("", "any"), ("correct", "correct"), ("wrong", "wrong")]
    )
    sort = forms.ChoiceField(
        label="Sort", required=False, choices=[(name, label) for name, (label, _) in SORTS.items()]
    )

    def __init__(self, data: QueryDict, runs: Sequence[StageRun]) -> None:
        super().__init__(data, auto_id="filter-%s", label_suffix="")
        self._runs = runs
        self._ids = [run.pk for run in runs]
        if annotated := annotating.choices("rollout", attempt__stage_run__in=self._ids):
            choices = [("", "any"), *annotated.items()]
            self.fields["marked"] = forms.ChoiceField(label="Marked", required=False, choices=choices)
        self.fields |= {name: forms.BooleanField(label=CHOICES[name][0], required=False) for name in MARKS}
        for name, of in reversed(OF_RUNS.items()):
            known = list(dict.fromkeys(map(of, runs)))
            if len(known) > 1:
                choices = [("", "all"), *((one, one) for one in known)]
                field = forms.ChoiceField(label=name.capitalize(), required=False, choices=choices)
                self.fields = {name: field, **self.fields}

    def clean(self) -> dict[str, Any]:
        """Refuse ranges that end before they begin, and searches without a word."""
        found = super().clean() or {}
        for low, high in (("from_step", "to_step"), ("from_reward", "to_reward")):
            first, last = found.get(low), found.get(high)
            if first is not None and last is not None and first > last:
                self.add_error(high, ValidationError("ends before it begins; give a larger one"))
        for name in ("from_step", "to_step"):
            if (found.get(name) or 0) >= 2**63:
                self.add_error(name, ValidationError("is no step that a run can have"))
        if found.get("words") and search.query(found["words"]) is None:
            self.add_error("words", ValidationError("holds no word; give letters or digits"))
        return found

    @property
    def shown_first(self) -> list[forms.BoundField]:
        """The fields in the line above the list."""
        return [self[name] for name in self.fields if name in (*OF_RUNS, "words", *OF_GROUPS, "sort")]

    @property
    def folded(self) -> list[forms.BoundField]:
        """The others, which are folded until one is used."""
        first = {field.name for field in self.shown_first}
        return [self[name] for name in self.fields if name not in first]

    @property
    def folded_in_use(self) -> int:
        """How many of the folded fields narrow or have a mistake."""
        return sum(bool(self.errors.get(field.name) or self._given(field.name)) for field in self.folded)

    @property
    def active(self) -> bool:
        """Whether anything is narrowed."""
        return self.is_valid() and any(self._given(name) for name in self.fields if name != "sort")

    @property
    def order(self) -> str:
        """One of SORTS."""
        return str(self.cleaned_data["sort"]) if self.is_valid() else ""

    @property
    def runs(self) -> list[StageRun]:
        """The runs that are asked for; all of them where the form has a mistake."""
        wanted = {name: self.cleaned_data.get(name) if self.is_valid() else "" for name in OF_RUNS}
        return [
            run for run in self._runs if all(wanted[n] in ("", None, of(run)) for n, of in OF_RUNS.items())
        ]

    def narrowed(self, rollouts: QuerySet[Rollout]) -> QuerySet[Rollout]:
        """The rollouts that fit, in groups that fit; all of them where the form has a mistake."""
        words = self.search_query
        rollouts = self._marked(rollouts)
        return rollouts if words is None else search.with_words(rollouts, words)

    @cached_property
    def fitting(self) -> dict[int, QuerySet[Rollout]]:
        """Attempt → its rollouts that count and fit; words are looked up once for all where few rollouts have them."""
        words, found = self.search_query, series.rollouts_by_attempt([run.pk for run in self.runs])
        marked = {attempt: self._marked(rows) for attempt, rows in found.items()}
        return marked if words is None else search.with_words_each(marked, words)

    @property
    def groups(self) -> dict[int, QuerySet[RolloutGroup]]:
        """Attempt → its groups that count, fit and hold a rollout that fits."""
        found = groups.by_attempt([run.pk for run in self.runs])
        return {attempt: rows.filter(self._fits) for attempt, rows in found.items()}

    @property
    def all_groups(self) -> QuerySet[RolloutGroup]:
        """Those of all attempts together, unordered."""
        return groups.of_runs([run.pk for run in self.runs]).filter(self._fits)

    @cached_property
    def holding(self) -> Holding | None:
        """The groups that hold a rollout that fits, where what is kept of a group does not tell; None where it does."""
        if self.search_query is None and len(self._rollout_fields) < 2 and not self._annotated:
            return None
        return groups.holding(self.fitting)

    @property
    def asks_whether_it_became_right(self) -> bool:
        """Whether a prompt's earlier visits are asked about, which takes prompts that recur."""
        return self._given("became_right")

    @property
    def of_whole_groups(self) -> bool:
        """Whether all rollouts of a group that fits do."""
        return self.search_query is None and not self._rollout_fields and not self._annotated

    @property
    def rewards(self) -> dict[int, QuerySet[Rollout]]:
        """Attempt → the rollouts of its steps that are asked for, whatever else is."""
        found = series.rollouts_by_attempt([run.pk for run in self.runs])
        return {attempt: rows.filter(self._steps) for attempt, rows in found.items()}

    @property
    def narrowed_by_reward(self) -> bool:
        """Whether a range of rewards is asked for."""
        return self._given("from_reward") or self._given("to_reward")

    def takes_reward(self, reward: float) -> bool:
        """Whether a reward is in the range that is asked for."""
        low, high = ("from_reward", "to_reward")
        return (not self._given(low) or self.cleaned_data[low] <= reward) and (
            not self._given(high) or reward <= self.cleaned_data[high]
        )

    @cached_property
    def search_query(self) -> SearchQuery | None:
        """The words that are asked for."""
        words = self.cleaned_data["words"] if self.is_valid() else ""
        return search.query(words) if words else None

    def _given(self, name: str) -> bool:
        return self.is_valid() and self.cleaned_data[name] not in ("", None, False)

    @property
    def _annotated(self) -> str:
        """The label or comment that is asked for; '' where none is."""
        return str(self.cleaned_data.get("marked", "")) if self.is_valid() else ""

    @property
    def _rollout_fields(self) -> list[str]:
        return [name for name in OF_ROLLOUTS if self._given(name)]

    @property
    def _steps(self) -> Q:
        asked = Q()
        for name, lookup in (("from_step", "step__gte"), ("to_step", "step__lte")):
            if self._given(name):
                asked &= Q(**{lookup: self.cleaned_data[name]})
        return asked

    @cached_property
    def _fits(self) -> Q:
        """Which groups fit, as far as what is kept of them tells, and else by name."""
        asked = self._asked_of_groups
        for name in self._rollout_fields:
            asked &= OF_ROLLOUTS[name][1](self.cleaned_data[name])
        return asked if self.holding is None else asked & Q(pk__any_of=self.holding.ids)

    @property
    def _asked_of_groups(self) -> Q:
        """What is asked of a group itself."""
        asked = self._steps
        if self._given("solved"):
            asked &= SOLVED[self.cleaned_data["solved"]][1]
        if self._given("mixed"):
            asked &= Q(lowest__lt=F("highest"))
        if self._given("became_right"):
            earlier = groups.of_runs([run.pk for run in self.runs]).filter(
                attempt__stage_run=OuterRef("attempt__stage_run"),
                prompt_key=OuterRef("prompt_key"),
                step__lt=OuterRef("step"),
                correct=0,
            )
            asked &= Q(Exists(earlier), correct__gt=0)
        return asked

    def _marked(self, rollouts: QuerySet[Rollout]) -> QuerySet[Rollout]:
        """Those that fit but for the words."""
        asked = self._steps
        for name in self._rollout_fields:
            asked &= OF_ROLLOUTS[name][0](self.cleaned_data[name])
        if marked := self._annotated:
            asked &= Q(pk__in=annotating.those("rollout", marked, attempt__stage_run__in=self._ids))
        if any(self._given(name) for name in OF_GROUPS):
            same = {name: OuterRef(name) for name in ("attempt", "step", "group")}
            asked &= Q(Exists(RolloutGroup.objects.filter(self._asked_of_groups, **same)))
        return rollouts.filter(asked)
