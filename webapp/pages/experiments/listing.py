"""The list of experiments narrowed and ordered by what stands in the URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django import forms
from django.db.models import Exists, F, OrderBy, OuterRef, QuerySet
from django.urls import reverse

from webapp.experiments import organising
from webapp.experiments.finding import holding
from webapp.experiments.models import Experiment, Star
from webapp.pages.experiments.querysets import ORDER
from webapp.pages.experiments.usage import device_order, disk_order
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
ARCHIVED = [("", "hidden"), ("with", "shown too"), ("only", "alone")]
NEWEST = ("-created_at", "-pk")


def _last_where_empty(name: str) -> tuple[OrderBy, OrderBy]:
    """Largest first and smallest first; what has no value comes last in both."""
    return F(name).desc(nulls_last=True), F(name).asc(nulls_last=True)


_DELTA, _REACHED = _last_where_empty("kept_answer__delta"), _last_where_empty("kept_answer__reached")
_DEVICE, _DISK = _last_where_empty("device_order"), _last_where_empty("disk_order")
SORTS: Mapping[str, tuple[str, tuple[str | OrderBy, ...]]] = {
    "": ("newest first", NEWEST),
    "oldest": ("oldest first", ("created_at", "pk")),
    "name": ("by name", ("name",)),
    "-name": ("by name, from Z", ("-name",)),
    "recipe": ("grouped by recipe", ("recipe_name", *NEWEST)),
    "owner": ("by person", ("owner__username", *NEWEST)),
    "-owner": ("by person, from Z", ("-owner__username", *NEWEST)),
    "-delta": ("largest difference first", (_DELTA[0], *NEWEST)),
    "delta": ("smallest difference first", (_DELTA[1], *NEWEST)),
    "-reached": ("best result first", (_REACHED[0], *NEWEST)),
    "reached": ("worst result first", (_REACHED[1], *NEWEST)),
    "-device": ("most device time first", (_DEVICE[0], *NEWEST)),
    "device": ("least device time first", (_DEVICE[1], *NEWEST)),
    "-disk": ("most disk first", (_DISK[0], *NEWEST)),
    "disk": ("least disk first", (_DISK[1], *NEWEST)),
}
COMPUTED = {"device": ("device_order", device_order), "disk": ("disk_order", disk_order)}


@dataclass(frozen=True)
class ListColumn:
    """A column of the list, and the orders that its header's link goes through."""

    key: str
    title: str
    first: str | None = None  # of SORTS; None: not ordered by it
    second: str = ""
    number: bool = False


COLUMNS = (
    ListColumn("experiment", "Experiment", "name", "-name"),
    ListColumn("state", "State"),
    ListColumn("answer", "Answer", "-delta", "delta"),
    ListColumn("accuracy", "After each stage, %", "-reached", "reached"),
    ListColumn("started", "Started", "", "oldest"),
    ListColumn("device", "Device time", "-device", "device", number=True),
    ListColumn("disk", "Disk", "-disk", "disk", number=True),
)


@dataclass(frozen=True)
class ListHeader:
    """A header's cell."""

    column: ListColumn
    address: str  # empty: not ordered by it
    order: str  # ascending, descending, or empty where the list is not ordered by it


class ListFilter(forms.Form):
    """What is left out stays open; a value that does not exist narrows to nothing and says so."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "title, tag, setting …"}),
    )
    state = forms.ChoiceField(label="State", required=False, choices=[("", "any"), *STATES])
    recipe = forms.ChoiceField(label="Recipe", required=False)
    owner = forms.ChoiceField(label="By", required=False)
    tag = forms.ChoiceField(label="Tag", required=False)
    archived = forms.ChoiceField(label="Archived", required=False, choices=ARCHIVED)
    starred = forms.BooleanField(label="Starred", required=False)
    sort = forms.ChoiceField(
        label="Order", required=False, choices=[(key, title) for key, (title, _) in SORTS.items()]
    )

    def __init__(self, data: object, person: int | None = None) -> None:
        super().__init__(data, label_suffix="")  # type: ignore[arg-type]  # a QueryDict
        self.person = person
        self.tags = organising.every_tag()
        known = Experiment.objects.order_by().values_list("recipe_name", "owner__username").distinct()
        recipes, people = zip(*known, strict=True) if known else ((), ())
        for name, any_, values in (
            ("recipe", "any", sorted(set(recipes))),
            ("owner", "anyone", sorted(set(people))),
            ("tag", "any", self.tags),
        ):
            self.fields[name].choices = [("", any_), *((one, one) for one in values)]  # type: ignore[attr-defined]

    @property
    def active(self) -> bool:
        """Whether anything is left out; the order leaves nothing out."""
        return any(self.data.get(name) for name in self.fields if name != "sort")

    @property
    def narrows(self) -> bool:
        """Whether a choice beside the search's words is made: where filters fold, they are shown then."""
        return any(self.data.get(name) for name in self.fields if name != "q")

    @property
    def grouped(self) -> bool:
        """Whether a heading stands above the experiments of each recipe."""
        return self.chosen.get("sort") == "recipe"

    @property
    def chosen(self) -> dict[str, str]:
        """The parameters that say something, as the address has them."""
        return {name: str(self.data[name]) for name in self.fields if self.data.get(name)}

    def address(self, **changed: str) -> str:
        """The list's address with these choices and those that are changed; its first page."""
        query = urlencode({name: value for name, value in (self.chosen | changed).items() if value})
        return reverse("experiments") + (f"?{query}" if query else "")

    def headers(self) -> list[ListHeader]:
        """The header's cells: a link goes to the column's first order, and from there to its second."""
        now = self.chosen.get("sort", "")
        found = []
        for column in COLUMNS:
            if column.first is None:
                found.append(ListHeader(column, "", ""))
                continue
            here = now in (column.first, column.second)
            falls = now in ("", column.first) if column.key == "started" else now.startswith("-")
            order = ("descending" if falls else "ascending") if here else ""
            found.append(
                ListHeader(
                    column, self.address(sort=column.second if now == column.first else column.first), order
                )
            )
        return found

    def narrowed(self) -> QuerySet[Experiment]:
        """The experiments that fit, in order, with their owners; settings and notes are read when they are asked for."""
        every = Experiment.objects.select_related("owner").defer("recipe", "notes")
        if not self.is_valid():
            return every.none()
        wanted = self.cleaned_data
        every = holding(every, wanted["q"].split())
        if wanted["archived"] != "with":
            every = every.filter(archived_at__isnull=wanted["archived"] != "only")
        if wanted["state"]:
            every = _in_state(every, wanted["state"])
        if wanted["recipe"]:
            every = every.filter(recipe_name=wanted["recipe"])
        if wanted["owner"]:
            every = every.filter(owner__username=wanted["owner"])
        if wanted["tag"]:
            every = every.filter(tags__contains=[wanted["tag"]])
        stars = Star.objects.filter(experiment=OuterRef("pk"), person=self.person)
        if wanted["starred"]:
            every = every.filter(Exists(stars))
        if computed := COMPUTED.get(wanted["sort"].removeprefix("-")):
            every = every.annotate(**{computed[0]: computed[1]()})
        return every.annotate(starred=Exists(stars)).order_by(*SORTS[wanted["sort"]][1])


def _in_state(every: QuerySet[Experiment], state: str) -> QuerySet[Experiment]:
    """Experiments of which that is said as a whole: see querysets.overall."""
    if state == IMPORTED:
        return every.filter(imported=True)
    every = every.filter(imported=False)
    runs = StageRun.objects.filter(experiment=OuterRef("pk"))
    stronger = ORDER if state == State.SUCCEEDED else ORDER[: ORDER.index(State(state))]
    every = every.filter(~Exists(runs.filter(state__in=stronger)))
    return every if state == State.SUCCEEDED else every.filter(Exists(runs.filter(state=state)))
