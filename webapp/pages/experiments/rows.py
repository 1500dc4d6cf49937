"""The rows of the list of experiments: what each is, what differs in it, what came out, and what it took."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from webapp.comparison.answers import kept_answers
from webapp.comparison.answers.planned_answers import ContrastResult, ExperimentAnswer
from webapp.experiments import changed_settings
from webapp.experiments.changed_settings import NamedDifference
from webapp.experiments.models import Experiment
from webapp.pages.experiments import querysets, usage
from webapp.pages.experiments.seeds_together import SeedsTogether, seeds_together
from webapp.pages.experiments.sparklines import Sparkline, sparkline
from webapp.runs.models import State

READING = 0.08  # seconds that a request spends on what is not kept; then the page asks again
CONTRASTS_SHOWN = 1  # so that a row is two lines high


@dataclass(frozen=True)
class ExperimentRow:
    """An experiment in the list."""

    summary: querysets.Summary
    starred: bool
    differences: Sequence[NamedDifference]  # the first ones
    more_differences: int
    answer: ExperimentAnswer | None  # None: not read yet
    drawn: Sparkline | None
    device_seconds: float | None
    disk_bytes: int | None
    together: Sequence[SeedsTogether] = ()  # of its recipe, in the first row of it

    @property
    def experiment(self) -> Experiment:
        """Whose row it is."""
        return self.summary.experiment

    @property
    def contrasts(self) -> tuple[ContrastResult, ...]:
        """The contrasts that say most."""
        return self.answer.strongest[:CONTRASTS_SHOWN] if self.answer else ()

    @property
    def others(self) -> str:
        """What there is beside those: '1 of 3 differ', or 'and 2 more' where none shows anything; empty where there is none."""
        every = self.answer.contrasts if self.answer else ()
        if len(every) <= CONTRASTS_SHOWN:
            return ""
        shown = self.contrasts[0].verdict
        if shown is None or not shown.positive:
            return f"and {len(every) - CONTRASTS_SHOWN} more"
        alike = sum(one.verdict is not None and one.verdict.word == shown.word for one in every)
        return f"{alike} of {len(every)} {shown.word}"

    @property
    def failed(self) -> int:
        """Stage runs that failed."""
        return self.summary.states[State.FAILED]


def rows(experiments: Sequence[Experiment], *, grouped: bool = False) -> tuple[list[ExperimentRow], int]:
    """A row each, and of how many the answer is still to be read. Takes ListFilter.narrowed(). Seven queries, if all is kept.

    `grouped`: recipe by recipe, each with what its experiments of one seed say together; one query more.
    """
    ids = [one.pk for one in experiments]
    ends = time.monotonic() + READING
    answers, unread = kept_answers.answers(experiments, seconds=READING)
    unread = max(
        unread, changed_settings.keep_missing(experiments, seconds=max(0.0, ends - time.monotonic()))
    )
    took, lies = usage.device_seconds(ids), usage.disk_bytes(ids)
    together = seeds_together(experiments, answers) if grouped else []
    found: list[ExperimentRow] = []
    for summary in querysets.summaries(experiments):
        one = summary.experiment
        answer, differs = answers.get(one.pk), changed_settings.named(one.differences)
        found.append(
            ExperimentRow(
                summary=summary,
                starred=one.starred,  # type: ignore[attr-defined]  # annotated
                differences=differs[: changed_settings.SHOWN],
                more_differences=max(0, len(differs) - changed_settings.SHOWN),
                answer=answer,
                drawn=sparkline(answer) if answer else None,
                device_seconds=took.get(one.pk),
                disk_bytes=lies.get(one.pk),
                together=[
                    group
                    for group in together
                    if group.recipe == one.recipe_name
                    and (not found or found[-1].experiment.recipe_name != one.recipe_name)
                ],
            )
        )
    return found, unread
