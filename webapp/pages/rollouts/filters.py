"""What a list of rollouts is narrowed to: the form above it, which is also its URL."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from django import forms
from django.contrib.postgres.search import SearchQuery
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import QueryDict

from webapp.annotations import annotating
from webapp.runs.models import StageRun
from webapp.telemetry import search, series
from webapp.telemetry.models import Rollout
from webapp.telemetry.rollouts import CHOICES

MARKS = tuple(name for name in CHOICES if name not in ("", "correct", "wrong"))  # boxes to tick
OF_RUNS: dict[str, Callable[[StageRun], str]] = {  # what tells the runs of an experiment apart
    "condition": lambda run: run.condition.name,
    "stage": lambda run: run.stage.name,
    "seed": lambda run: str(run.seed),
}


class RolloutFilter(forms.Form):
    """Every condition holds at once; an empty one narrows nothing."""

    words = forms.CharField(
        label="Words",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"placeholder": 'all of these, "a phrase", -without', "type": "search"}),
    )
    answer = forms.ChoiceField(
        label="Answer", required=False, choices=[("", "any"), ("correct", "correct"), ("wrong", "wrong")]
    )
    from_step = forms.IntegerField(label="From step", required=False, min_value=0)
    to_step = forms.IntegerField(label="To step", required=False, min_value=0)
    from_reward = forms.FloatField(label="Reward from", required=False)
    to_reward = forms.FloatField(label="Reward to", required=False)

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
        if found.get("words") and search.query(found["words"]) is None:
            self.add_error("words", ValidationError("holds no word; give letters or digits"))
        return found

    @property
    def active(self) -> bool:
        """Whether anything is narrowed."""
        return self.is_valid() and any(
            self.cleaned_data[name] not in ("", None, False) for name in self.fields
        )

    @property
    def runs(self) -> list[StageRun]:
        """The runs that are asked for; all of them where the form has a mistake."""
        if not self.is_valid():
            return list(self._runs)
        wanted = {name: self.cleaned_data.get(name) for name in OF_RUNS}
        return [
            run for run in self._runs if all(wanted[n] in ("", None, of(run)) for n, of in OF_RUNS.items())
        ]

    def narrowed(self, rollouts: QuerySet[Rollout]) -> QuerySet[Rollout]:
        """Those that fit; all of them where the form has a mistake."""
        words = self.search_query
        rollouts = self._marked(rollouts)
        return rollouts if words is None else search.with_words(rollouts, words)

    def narrowed_each(self, rollouts: Mapping[int, QuerySet[Rollout]]) -> dict[int, QuerySet[Rollout]]:
        """The same of each attempt; the words are looked up once for all of them where few rollouts have them."""
        words = self.search_query
        marked = {attempt: self._marked(rows) for attempt, rows in rollouts.items()}
        return marked if words is None else search.with_words_each(marked, words)

    @cached_property
    def fitting(self) -> dict[int, QuerySet[Rollout]]:
        """Attempt → its rollouts that count and fit."""
        return self.narrowed_each(series.rollouts_by_attempt([run.pk for run in self.runs]))

    @property
    def search_query(self) -> SearchQuery | None:
        """The words that are asked for."""
        words = self.cleaned_data["words"] if self.is_valid() else ""
        return search.query(words) if words else None

    def _marked(self, rollouts: QuerySet[Rollout]) -> QuerySet[Rollout]:
        """Those that fit but for the words."""
        if not self.is_valid():
            return rollouts
        wanted = self.cleaned_data
        conditions = CHOICES[wanted["answer"]][1]
        for name in MARKS:
            if wanted[name]:
                conditions &= CHOICES[name][1]
        for name, lookup in (
            ("from_step", "step__gte"),
            ("to_step", "step__lte"),
            ("from_reward", "reward__gte"),
            ("to_reward", "reward__lte"),
        ):
            if wanted[name] is not None:
                conditions &= Q(**{lookup: wanted[name]})
        if marked := wanted.get("marked"):
            conditions &= Q(pk__in=annotating.those("rollout", marked, attempt__stage_run__in=self._ids))
        return rollouts.filter(conditions)
