"""What a list of rollouts is narrowed to: the form above it, which is also its URL."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import QueryDict

from webapp.telemetry import search
from webapp.telemetry.models import Rollout
from webapp.telemetry.rollouts import CHOICES

MARKS = ("mul_tokens", "repeats", "hit_limit")


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
    mul_tokens = forms.BooleanField(label=CHOICES["mul_tokens"][0], required=False)
    repeats = forms.BooleanField(label=CHOICES["repeats"][0], required=False)
    hit_limit = forms.BooleanField(label=CHOICES["hit_limit"][0], required=False)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data, auto_id="filter-%s", label_suffix="")

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

    def narrowed(self, rollouts: QuerySet[Rollout]) -> QuerySet[Rollout]:
        """Those that fit; all of them where the form has a mistake."""
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
        rollouts = rollouts.filter(conditions)
        words = search.query(wanted["words"]) if wanted["words"] else None
        return rollouts if words is None else search.with_words(rollouts, words)
