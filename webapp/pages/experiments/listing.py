"""The list of experiments narrowed and ordered by what stands in the URL."""

from django import forms
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet

from webapp.experiments.models import Experiment
from webapp.pages.experiments.querysets import ORDER
from webapp.runs.models import StageRun, State

IMPORTED = "imported"
STATES = [
    (State.RUNNING, "running"),
    (State.READY, "queued"),
    (State.FAILED, "failed"),
    (State.CANCELLED, "cancelled"),
    (State.SUCCEEDED, "succeeded"),
    (IMPORTED, "imported"),
]
SORTS = {
    "": ("newest first", ("-created_at", "-pk")),
    "oldest": ("oldest first", ("created_at", "pk")),
    "name": ("by name", ("name",)),
    "recipe": ("by recipe", ("recipe_name", "-created_at", "-pk")),
}


class ListFilter(forms.Form):
    """What is left out stays open; a value that does not exist narrows to nothing and says so."""

    q = forms.CharField(label="Text", required=False, max_length=200)
    state = forms.ChoiceField(label="State", required=False, choices=[("", "any"), *STATES])
    recipe = forms.ChoiceField(label="Recipe", required=False)
    owner = forms.ChoiceField(label="By", required=False)
    sort = forms.ChoiceField(
        label="Order", required=False, choices=[(key, title) for key, (title, _) in SORTS.items()]
    )

    def __init__(self, data: object) -> None:
        super().__init__(data, label_suffix="")  # type: ignore[arg-type]  # a QueryDict
        named = Experiment.objects.order_by("recipe_name").values_list("recipe_name", flat=True).distinct()
        people = User.objects.filter(pk__in=Experiment.objects.values("owner")).order_by("username")
        names = [person.get_username() for person in people]
        self.fields["recipe"].choices = [("", "any"), *((name, name) for name in named)]  # type: ignore[attr-defined]
        self.fields["owner"].choices = [("", "anyone"), *((name, name) for name in names)]  # type: ignore[attr-defined]

    @property
    def active(self) -> bool:
        """Whether anything is left out; the order leaves nothing out."""
        return any(self.data.get(name) for name in self.fields if name != "sort")

    def narrowed(self) -> QuerySet[Experiment]:
        """The experiments that fit, in order, with their owners; settings and notes are read when they are asked for."""
        every = Experiment.objects.select_related("owner").defer("recipe", "notes")
        if not self.is_valid():
            return every.none()
        wanted = self.cleaned_data
        for word in wanted["q"].split():
            every = every.filter(
                Q(name__icontains=word) | Q(title__icontains=word) | Q(question__icontains=word)
            )
        if wanted["state"]:
            every = _in_state(every, wanted["state"])
        if wanted["recipe"]:
            every = every.filter(recipe_name=wanted["recipe"])
        if wanted["owner"]:
            every = every.filter(owner__username=wanted["owner"])
        return every.order_by(*SORTS[wanted["sort"]][1])


def _in_state(every: QuerySet[Experiment], state: str) -> QuerySet[Experiment]:
    """Experiments of which that is said as a whole: see querysets.overall."""
    if state == IMPORTED:
        return every.filter(imported=True)
    every = every.filter(imported=False)
    runs = StageRun.objects.filter(experiment=OuterRef("pk"))
    stronger = ORDER if state == State.SUCCEEDED else ORDER[: ORDER.index(State(state))]
    every = every.filter(~Exists(runs.filter(state__in=stronger)))
    return every if state == State.SUCCEEDED else every.filter(Exists(runs.filter(state=state)))
