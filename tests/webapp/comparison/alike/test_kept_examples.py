"""Conditions that learnt from other examples than their settings ask for are not compared, and every place says so."""

import pytest

from tests.factories import BENCHMARK, add_evaluation, make_attempt, make_experiment, run_of
from training.recipes import recipe as recipes
from webapp.comparison.cells import Comparison, Refusal
from webapp.comparison.checkpoints import across
from webapp.comparison.problems.flips import flips
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.sentences.warnings import warnings
from webapp.comparison.table import stage_table
from webapp.comparison.tables.stage_tables import provenance
from webapp.runs.models import State

pytestmark = pytest.mark.django_db
STAGES = (("sft", "sft"), ("grpo", "grpo"))
SHA, OTHER = "a" * 64, "b" * 64


def part(sha256, name="train"):
    return {"part": name, "passes": 1, "examples": 8, "too_long": 0, "sha256": sha256, "sources": []}


def spec(run, **changes):
    """What a launch writes, with some settings of the stage changed."""
    found = recipes.resolve(recipes.build(recipes.read("gsm8k_tiny")))[0]
    settings = found.settings.model_dump(mode="json") | {"name": "sft"} | changes
    return found.model_dump(mode="json") | {
        "condition": run.condition.name,
        "settings": settings,
        "benchmarks": [{"benchmark": BENCHMARK, "max_new_tokens": 28}],
    }


def history(kept, settings=({}, {})):
    """Two conditions; what each kept in sft, None where it did not record it."""
    experiment = make_experiment(stages=STAGES)
    for place, condition in enumerate(("baseline", "mul_tokens")):
        for stage, _ in STAGES:
            run = run_of(experiment, condition, stage)
            run.spec = spec(run, **settings[place]) if stage == "sft" else run.spec
            run.save()
            examples = kept[place] if stage == "sft" else None
            attempt = make_attempt(run, state=State.SUCCEEDED, examples=examples)
            add_evaluation(attempt, [place == 1] * 30 + [False] * 30)
    return experiment


@pytest.mark.parametrize("kept", [([part(SHA)], [part(SHA)]), (None, None), (None, [part(SHA)])])
def test_equal_examples_are_compared_and_so_is_what_recorded_nothing(kept):
    table = stage_table(history(kept))
    assert all(isinstance(row.seeds[0].comparisons[0], Comparison) for row in table.rows)
    assert warnings(table) == []


def test_other_examples_are_refused_in_their_stage_and_after_it():
    experiment = history(([part(SHA)], [part(OTHER)]))
    table = stage_table(experiment)
    for row in table.rows:
        refused = row.seeds[0].comparisons[0]
        assert isinstance(refused, Refusal)
        assert "different examples in sft (train: aaaaaaaa against bbbbbbbb)" in refused.reason
    (warning,) = warnings(table)
    assert warning.startswith("mul_tokens learnt from other examples than baseline in sft, though no setting")
    assert "cannot be compared" in verdict_sentences(table)[-1].text
    shown = provenance(table)["Examples kept (SHA-256)"]
    assert shown == f"sft of baseline {SHA[:12]}; sft of mul_tokens {OTHER[:12]}"


@pytest.mark.parametrize("change", [{"max_length": 96}, {"examples": 7}, {"data": [{"source": "drills"}]}])
def test_examples_that_the_settings_ask_for_are_compared_and_named(change):
    table = stage_table(history(([part(SHA)], [part(OTHER)]), ({}, change)))
    assert all(isinstance(row.seeds[0].comparisons[0], Comparison) for row in table.rows)
    (warning,) = warnings(table)
    assert "in sft, as its settings ask for: a difference may come from them" in warning


def test_another_learning_rate_asks_for_no_other_examples():
    optimizer = {"optimizer": {"learning_rate": 0.5}}
    table = stage_table(history(([part(SHA)], [part(OTHER)]), ({}, optimizer)))
    assert all(isinstance(row.seeds[0].comparisons[0], Refusal) for row in table.rows)


def test_equal_examples_have_one_hash_in_the_provenance_whatever_the_parts():
    both = [part(SHA, "drills"), part(OTHER, "story")]
    shown = provenance(stage_table(history((both, both))))["Examples kept (SHA-256)"]
    assert shown.startswith("sft ")
    assert shown.count(";") == 0


def test_checkpoints_of_any_experiments_name_other_examples_among_the_settings():
    experiment = history(([part(SHA)], [part(OTHER)]))
    runs = [run_of(experiment, condition, "grpo") for condition in ("baseline", "mul_tokens")]
    (found,) = [
        one
        for one in across([(experiment.name, str(run.pk)) for run in runs]).differences
        if "examples" in one.name
    ]
    assert (found.name, found.values) == ("sft.examples kept (SHA-256)", (SHA[:12], OTHER[:12]))


def test_flips_and_checkpoints_refuse_other_examples_in_the_words_of_the_table():
    experiment = history(([part(SHA)], [part(OTHER)]))
    refused = stage_table(experiment).rows[-1].seeds[0].comparisons[0]
    assert isinstance(refused, Refusal)
    found = flips(experiment, first=("baseline", "grpo"), second=("mul_tokens", "grpo"))
    assert found.refusal == f"The two cannot be compared: {refused.reason}."
    assert found.problems == ()
    early = flips(experiment, first=("baseline", "sft"), second=("mul_tokens", "grpo"))
    assert early.refusal == found.refusal, "of sft, which both went through"
    chosen = [
        (experiment.name, str(run_of(experiment, *names).pk))
        for names in (("baseline", "grpo"), ("mul_tokens", "grpo"), ("baseline", "sft"))
    ]
    _, other, own = across(chosen).comparisons
    assert isinstance(other, Refusal) and other.reason == refused.reason
    assert isinstance(own, Comparison), "one condition, whose two stages are compared"


def test_flips_and_checkpoints_compare_what_settings_ask_for_or_equal_examples():
    for settings, kept in ((({}, {"max_length": 96}), OTHER), (({}, {}), SHA)):
        experiment = history(([part(SHA)], [part(kept)]), settings)
        assert flips(experiment, first=("baseline", "grpo"), second=("mul_tokens", "grpo")).refusal == ""
        runs = [run_of(experiment, condition, "grpo") for condition in ("baseline", "mul_tokens")]
        assert isinstance(across([(experiment.name, str(run.pk)) for run in runs]).comparisons[1], Comparison)
        experiment.delete()


def test_other_seeds_may_learn_from_other_examples():
    """Checkpoints of two seeds are compared by choice, and another seed draws other examples."""
    experiment = make_experiment(stages=STAGES[:1], seeds=(0, 1))
    for seed, condition, kept in ((0, "baseline", SHA), (1, "mul_tokens", OTHER)):
        attempt = make_attempt(
            run_of(experiment, condition, "sft", seed), state=State.SUCCEEDED, examples=[part(kept)]
        )
        add_evaluation(attempt, [seed == 1] * 30 + [False] * 30)
    runs = (run_of(experiment, "baseline", "sft", 0), run_of(experiment, "mul_tokens", "sft", 1))
    assert isinstance(across([(experiment.name, str(run.pk)) for run in runs]).comparisons[1], Comparison)
