"""Checkpoints of several experiments, each compared with the first, as a table that becomes a file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter

from webapp.comparison.alike.settings_differences import ABSENT, OF_STAGE
from webapp.comparison.checkpoints import Across, Pick
from webapp.comparison.columns import (
    ADJUSTED_P,
    DRAWN,
    NEW_PROBLEMS,
    VERDICT,
    ComparisonRow,
    chosen,
    comparison,
    rate,
    to_the_second,
)
from webapp.comparison.comparisons import Compared
from webapp.files.table import Column, Sheet, Table, View
from webapp.runs.code_versions import Versions, of_experiments
from webapp.statistics.proportions import MCNEMAR_NAMES

OF_CHECKPOINTS = (
    "experiment", "recipe", "code_version", "benchmark", "problem_subset", "problems_sha256", "metric", "stage", "condition", "seed",
    "correct", "problems", "accuracy", "wilson_low", "wilson_high", "delta", "delta_low", "delta_high", "pairing",
    "mcnemar_p", "fisher_p", "adjusted_p", "interval_level",
    "new_problems_low", "new_problems_high", "new_problems_p", "clusters", "cluster_variable", "gained", "lost", "verdict", "refused", "imported", "exported_at",
)  # fmt: skip


@dataclass(frozen=True)
class CheckpointLine:
    """A chosen checkpoint and its comparison with the first."""

    pick: Pick
    compared: Compared | None
    missing: str  # why it has none
    place: int  # among the checkpoints, which decides its colour
    first: Pick  # that all are compared with

    @property
    def flips(self) -> bool:
        """Whether it and the first are of one experiment and seed, whose problems one page lists."""
        one, other = self.first.run, self.pick.run
        return (one.experiment_id, one.seed) == (other.experiment_id, other.seed)


def checkpoints(found: Across, at: datetime | None = None) -> Table:
    """One row a checkpoint, those after the first with their comparison; and in what their settings differ."""
    moment = to_the_second(at)
    sheet = checkpoint_sheet(found, moment)
    return Table(
        f"checkpoints-on-{found.benchmark}{f'-{found.subset.written}'.replace(':', '-') if found.subset else ''}",
        "Checkpoints compared",
        f"on {found.asked}, each with the first",
        sheet,
        _provenance(found, [record.code_version for record in sheet.rows], moment),
        more=[differences_sheet(found)] if found.differences else [],
    )


def page_view(found: Across) -> View:
    """What the page shows: the checkpoints, those after the first with their comparison, the verdict beside the difference."""
    view = _view(found)
    *before, delta, verdict = (
        one
        for title in ("Checkpoint", "Accuracy", f"Δ {found.metric.unit}", VERDICT)
        for one in view.columns
        if one.title == title
    )
    others = [one for one in view.columns if one not in (*before, delta, verdict) and one.title != ADJUSTED_P]
    return replace(view, columns=[*before, delta, verdict, *others])


def _view(found: Across) -> View:
    """The same with every column, in the order of files."""
    lines = [
        CheckpointLine(pick, one, _missing(found, pick), place, found.picks[0])
        for place, (pick, one) in enumerate(zip(found.picks, found.comparisons, strict=True))
    ]
    columns = [
        Column("", "text", "Checkpoint", value="pick.name", template="results/_checkpoint_name.html"),
        rate(
            attrgetter("pick.cell"), found.metric, found.digits, title="Accuracy", heading="% (95 % interval)"
        ),
        *(
            one
            for one in comparison(attrgetter("compared"), found.metric, found.digits)
            if one.title != NEW_PROBLEMS
        ),
    ]
    return View(columns, lines)


def checkpoint_sheet(found: Across, at: datetime | None = None) -> Sheet:
    """The same for files, and a row a checkpoint for programs. One query."""
    shown = _view(found)
    moment, versions = to_the_second(at), of_experiments(pick.experiment for pick in found.picks)
    return Sheet(
        "checkpoints",
        "Checkpoints",
        chosen(OF_CHECKPOINTS),
        [_record(found, line, versions[line.pick.experiment.pk], moment) for line in shown.rows],
        View([column for column in shown.columns if column.title != DRAWN], shown.rows),
        page_view(found),
    )


def _missing(found: Across, pick: Pick) -> str:
    if pick is found.picks[0]:
        return "the others are compared with this"
    if not pick.cell.tally:
        return f"it was not evaluated on {found.benchmark}"
    return (
        "not finished" if found.picks[0].cell.tally else f"the first was not evaluated on {found.benchmark}"
    )


def _record(found: Across, line: CheckpointLine, versions: Versions, at: datetime) -> ComparisonRow:
    run = line.pick.run
    return ComparisonRow(
        line.pick.experiment,
        found.benchmark,
        found.metric,
        run.stage.name,
        run.condition.name,
        run.seed,
        at,
        versions.of_run(run.pk),
        line.pick.cell if line.pick.cell.complete else None,
        empty=line.pick.cell.empty and not line.pick.cell.complete,
        compared=line.compared,
        subset=found.subset.written
        if found.subset and line.pick.cell.tally and line.pick.cell.tally.subset
        else None,
    )


def differences_sheet(found: Across) -> Sheet:
    """A row a setting, a column a checkpoint."""
    columns = [Column("setting", "text", "Setting", value="name", element="code")]
    columns += [
        Column(
            f"checkpoint_{place + 1}",
            "text",
            pick.name,
            value=lambda one, place=place: one.values[place],  # type: ignore[misc]
            heading=pick.experiment.name,
            subheading=f"{pick.run.condition.name} after {pick.run.stage.name}",
            element="code",
            swatch=place,
        )
        for place, pick in enumerate(found.picks)
    ]
    of_settings = [one for one in found.differences if not one.of_stage]
    return Sheet(
        "differences",
        "In what their settings differ",
        columns,
        found.differences,
        page=View(columns, of_settings) if len(of_settings) < len(found.differences) else None,
    )


def lacking_stages(found: Across) -> list[str]:
    """Which stages not every checkpoint has in its line, a sentence for all that the same ones have."""
    whose: dict[tuple[str, ...], list[str]] = {}
    for one in found.differences:
        if one.of_stage:
            lacking = {
                pick.experiment.name
                for pick, value in zip(found.picks, one.values, strict=True)
                if value == ABSENT
            }
            having = [
                pick.name if pick.experiment.name in lacking else pick.experiment.name
                for pick, value in zip(found.picks, one.values, strict=True)
                if value != ABSENT
            ]
            names = tuple(dict.fromkeys(having))
            whose.setdefault(names, []).append(one.name.removeprefix(OF_STAGE))
    return [
        f"Only {_listed(having)} {'has' if len(having) == 1 else 'have'} the stage{'s' if len(stages) > 1 else ''} {_listed(stages)}."
        for having, stages in whose.items()
    ]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _provenance(found: Across, versions: Sequence[str], at: datetime) -> dict[str, str]:
    hashes = {
        str(pick.cell.result.settings.get("problems_sha256", ""))[:12]
        for pick in found.picks
        if pick.cell.complete
    }
    return {
        "Checkpoints": "; ".join(pick.name for pick in found.picks),
        "Code versions": ", ".join(dict.fromkeys(version or "not recorded" for version in versions)),
        "Problems (SHA-256)": ", ".join(sorted(filter(None, hashes))) or "none on record",
        "Test": (
            f"the same problems: {MCNEMAR_NAMES[found.test]}, paired difference with Tango's score interval; published counts: "
            "unpaired, Fisher's exact test, difference with Newcombe's interval; one proportion with Wilson's 95 %. "
            f"{found.corrections}"
        ),
        "As of": f"{at:%Y-%m-%d %H:%M} UTC",
    }
