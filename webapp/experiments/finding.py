"""Finding experiments by words, the same in lists and from the command line."""

from collections.abc import Iterable

from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast

from webapp.experiments.models import Condition, Experiment

TAG_WORDS = Func(F("tags"), Value(" "), function="array_to_string", output_field=TextField())


def holding(experiments: QuerySet[Experiment], words: Iterable[str]) -> QuerySet[Experiment]:
    """Those that hold every word: in name, title, question, origin, tags, conditions, or settings that differ."""
    found = experiments.alias(tag_words=TAG_WORDS, changed=Cast("differences", TextField()))
    conditions = Condition.objects.filter(experiment=OuterRef("pk")).alias(set=Cast("overrides", TextField()))
    for word in words:
        own = Q(name__icontains=word) | Q(title__icontains=word) | Q(question__icontains=word)
        own |= Q(origin_note__icontains=word) | Q(tag_words__icontains=word) | Q(changed__icontains=word)
        found = found.filter(
            own | Exists(conditions.filter(Q(name__icontains=word) | Q(set__icontains=word)))
        )
    return found
