"""The report's setup: conditions, model, benchmarks, stages; then each stage with all that its result rests on, and every setting."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training.recipes import recipe as recipes
from training.settings.shared import StageSettings, TrainingStageSettings
from webapp.experiments.models import Experiment
from webapp.experiments.settings_by_condition import by_condition
from webapp.experiments.templatetags.humane import lower_bool
from webapp.files.table import words
from webapp.reports.sections import ListItem, Section
from webapp.reports.stage_costs import (
    STAGE,
    EarlierRollouts,
    RunFacts,
    earlier_rollouts,
    rollouts_text,
    run_facts,
    time_text,
)
from webapp.reports.stage_lines import LINES
from webapp.results.published import Publication
from webapp.runs import code_versions, environments


def setup(experiment: Experiment) -> Section:
    """Conditions, seeds, model and stages as the recipe was launched."""
    recipe = experiment.recipe
    if experiment.imported:
        return _published(Publication.model_validate(recipe))
    section = Section("Setup")
    for condition in experiment.conditions.all():
        changes = ", ".join(f"{path} = {lower_bool(value)}" for path, value in condition.overrides.items())
        section.items.append(f"Condition {condition.name}: {changes or 'the recipe as it is'}")
    section.items.append(f"Seeds: {', '.join(map(str, experiment.seeds))}")
    section.items.append(f"Code: {code_versions.of_experiment(experiment).text}")
    if computed_on := environments.of_experiment(experiment):
        section.items.append(f"Computed on: {computed_on}")
    if model := recipe.get("model"):
        section.items.append(
            f"Model: GPT-2 architecture, {model['n_layer']} layers, {model['n_head']} heads, "
            f"{model['n_embd']} wide, context {model['n_positions']}{_weights(experiment)}"
            f"{f'; starts from {start}, whose own size counts' if (start := model.get('start_from')) else ''}"
        )
    for item in recipe.get("benchmarks", []):
        section.items.append(f"Benchmark {item['benchmark']}: {_asked(item)}")
    if found := _stages(experiment):
        header = ["Stage", "Kind", "After", "Size", "Peak learning rate"]
        lines = [
            [
                _where_it_differs({name: _stage_line(stage)[place] for name, stage in own.items()})
                for place in range(len(header))
            ]
            for own in found
        ]
        section.tables.append(("", words(header, lines)))
    return section


def _weights(experiment: Experiment) -> str:
    """Parameters, of each condition where they differ, and entries of the vocabulary; empty for a recipe of an older version."""
    try:
        conditions = recipes.build(experiment.recipe).by_condition
    except recipes.RecipeError:
        return ""
    entries = next(iter(conditions.values())).tokenizer.vocabulary
    counts = {name: f"{one.model.parameters(entries):,}" for name, one in conditions.items()}
    if len(set(counts.values())) == 1:
        told = f"{next(iter(counts.values()))} parameters"
    else:
        told = f"parameters: {', '.join(f'{count} in {name}' for name, count in counts.items())}"
    return f"; {told}; vocabulary of {entries:,} entries"


def _stages(experiment: Experiment) -> list[dict[str, StageSettings]]:
    """Of each stage its settings by condition; of a recipe of an older version the baseline's alone, under no name."""
    try:
        conditions = recipes.build(experiment.recipe).by_condition
    except recipes.RecipeError:
        return [{"": STAGE.validate_python(stage)} for stage in experiment.recipe.get("stages", [])]
    return [
        dict(zip(conditions, of_each, strict=True))
        for of_each in zip(*(one.stages for one in conditions.values()), strict=True)
    ]


def _where_it_differs(texts: Mapping[str, str]) -> str:
    """What all conditions have, or each text with the conditions that have it: '0.02 (low); 0.1 (high)'."""
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    having = {text: [name for name in texts if texts[name] == text] for text in dict.fromkeys(texts.values())}
    return "; ".join(f"{text or 'none'} ({', '.join(names)})" for text, names in having.items())


def stages(experiment: Experiment) -> Section:
    """All that each stage's result rests on, and what the stage took."""
    section = Section("Setup of each stage")
    if experiment.imported or not (found := _stages(experiment)):
        return section
    runs, earlier = run_facts(experiment), earlier_rollouts(experiment)
    section.items += [
        ListItem(
            f"Stage {next(iter(own.values())).name}",
            tuple(f"{label}: {text}" for label, text in _described(own, runs, earlier)),
        )
        for own in found
    ]
    return section


def every_setting(experiment: Experiment) -> Section:
    """The whole configuration by dotted path, conditions side by side where one of them differs from the first."""
    section = Section("Every setting", folded=True)
    found = by_condition(experiment.recipe) if not experiment.imported else {}
    if not found:
        return section
    first, *others = found
    paths = dict.fromkeys(path for settings in found.values() for path in settings)
    differ = [name for name in others if found[name] != found[first]]
    lines = [[path, *(found[name].get(path, "–") for name in (first, *differ))] for path in paths]
    alike = [name for name in others if name not in differ]
    caption = "As launched" + (f"; {', '.join(alike)} as {first}" if alike else "")
    section.tables.append((caption, words(["Setting", first, *differ], lines)))
    return section


def _published(publication: Publication) -> Section:
    section = Section("Setup", paragraphs=[f"Source: {publication.source}."])
    for condition in publication.conditions:
        changes = ", ".join(f"{path} = {value}" for path, value in condition.overrides.items())
        section.items.append(f"Condition {condition.name}{f': {changes}' if changes else ''}")
    section.items += publication.remarks()
    lines = [
        [stage.name, stage.title or "–", stage.published_as or "–", stage.after or "–", stage.size or "–"]
        for stage in publication.stages
    ]
    header = ["Stage", "What it was", "Published as", "After", "Size"]
    section.tables.append(("", words(header, lines)))
    return section


def _asked(benchmark: Mapping[str, Any]) -> str:
    """How a benchmark is run: '150 problems, greedy, up to 28 new tokens'."""
    count, samples = benchmark["problems"] or "all", benchmark.get("samples", 0)
    drawn = f", and {samples} samples at temperature {benchmark['temperature']:g}" if samples else ""
    return f"{count} problems, {benchmark['decoding']}{drawn}, up to {benchmark['max_new_tokens']} new tokens"


def _stage_line(stage: StageSettings) -> list[str]:
    rates = stage.peak_rates_text() if isinstance(stage, TrainingStageSettings) else "–"
    return [stage.name, stage.kind, stage.after or "–", stage.size(), rates]


def _described(
    own: Mapping[str, StageSettings], runs: Sequence[RunFacts], earlier: Mapping[str, EarlierRollouts]
) -> Iterator[tuple[str, str]]:
    """The lines of a stage, of which `own` has the settings by condition."""
    for label, text_of in LINES.items():
        if text := _where_it_differs({name: text_of(stage) or "" for name, stage in own.items()}):
            yield label, text
    stage = next(iter(own.values()))
    if stage.benchmarks is not None:
        asked = [f"{one.benchmark}: {_asked(one.model_dump(mode='json'))}" for one in stage.benchmarks]
        yield "Benchmarks instead of the recipe’s", "; ".join(asked) or "none"
    of_stage = [run for run in runs if run.stage == stage.name]
    if text := rollouts_text(stage.name, of_stage, earlier):
        yield "Rollouts compared", text
    if text := time_text(of_stage):
        yield "Time", text
