"""A stage's identity changes with everything that determines its checkpoint, and with nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from training.data.sources.drills import DrillsSource
from training.recipes import identity, recipe as recipes
from training.settings.shared import CodeChange
from training.stages.sft.config import SftSettings
from training.text import mul_tokens

STAGES = ["pretrain", "instruct", "curriculum", "grpo"]
NOT_PRETRAIN = STAGES[1:]
MULTIPLICATION = {"benchmark": "one_step_multiplication", "max_new_tokens": 28}


def identities(changes=(), *, data_dir=Path("nowhere")):
    """Stage → identity of the baseline, seed 0 unless the seeds are changed."""
    specs = recipes.resolve(recipes.build(recipes.read("smoke"), changes))
    found = identity.of_specs(specs, data_dir)
    return {spec.stage: found[identity.key(spec)] for spec in reversed(specs) if spec.condition == "baseline"}


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (("stages.pretrain.steps", 7), STAGES),
        (("stages.pretrain.optimizer.learning_rate", 1e-3), STAGES),
        (("model.n_layer", 3), STAGES),
        (("model.positions", "rope"), STAGES),
        (("tokenizer.entries", 700), STAGES),
        (("mul_tokens.inject", True), STAGES),
        (("text.format", "scratchpad"), STAGES),
        (("seeds", [1]), STAGES),
        (("stages.instruct.batch_size", 8), NOT_PRETRAIN),
        (("stages.instruct.precision", "bf16"), NOT_PRETRAIN),
        (("stages.curriculum.steps.drills.learning_rate", 1e-3), ["curriculum", "grpo"]),
        (("stages.grpo.beta", 0.1), ["grpo"]),
        (("stages.grpo.after", "instruct"), ["grpo"]),
        (("stages.grpo.rewards.correct.weight", 2.0), ["grpo"]),
        (("stages.grpo.data.word_problems.phrasing", "plain"), STAGES),  # the vocabulary is trained on it
        (("name", "another"), []),
        (("title", "Another"), []),
        (("question", "Another?"), []),
        (("alpha", 0.01), []),
        (("seeds", [0, 1]), []),
        (("benchmarks.one_step_multiplication.problems", 10), []),
        (("benchmarks", [MULTIPLICATION, {"benchmark": "arithmetic_probes", "max_new_tokens": 9}]), []),
        (("stages.instruct.benchmarks", []), []),
        (("stages.grpo.save_every", 5), []),
        (("stages.pretrain.log_every", 50), []),
        (("stages.instruct.evaluate_every", 50), []),
        (("stages.instruct.evaluate_problems", 50), []),
        (("conditions.mul_tokens.overrides.stages.grpo.beta", 0.5), []),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_what_determines_a_checkpoint(change, changed):
    before, after = identities(), identities([change])
    assert [stage for stage in STAGES if before[stage] != after[stage]] == changed
    assert all(len(one.sha256) == 64 for one in after.values())


def test_problems_that_a_stage_passes_over_count_however_often_they_are_asked():
    gsm8k = [("stages.grpo.evaluate_benchmark", "gsm8k"), ("stages.grpo.evaluate_every", 5)]
    before, after = identities(), identities(gsm8k)
    assert [stage for stage in STAGES if before[stage] != after[stage]] == ["grpo"]
    assert after == identities([*gsm8k[:1], ("stages.grpo.evaluate_every", 7)])
    assert identities([*gsm8k[:1], ("stages.grpo.evaluate_every", None)]) == before, "it is off"


def test_a_stage_draws_its_data_by_its_name():
    before = identities()
    after = identities([("stages.grpo.name", "reinforcement")])
    assert before["grpo"] != after["reinforcement"]
    assert before["curriculum"] == after["curriculum"]


def test_conditions_share_what_they_do_not_differ_in():
    recipe = recipes.build(
        recipes.read("smoke"), [("conditions.mul_tokens.overrides", {"stages.grpo.beta": 0.5})]
    )
    found = identity.of_specs(recipes.resolve(recipe), Path("nowhere"))
    same = [stage for stage in STAGES if found["baseline", stage, 0] == found["mul_tokens", stage, 0]]
    assert same == ["pretrain", "instruct", "curriculum"]


@pytest.mark.parametrize("where", [(identity, "CODE_CHANGES"), (SftSettings, "code_changes")])
def test_versions_of_the_code_count(where, monkeypatch):
    before = identities()
    change = CodeChange("2998-01-31", "sums are rounded")
    monkeypatch.setattr(*where, (*getattr(*where), change))
    after = identities()
    changed = [stage for stage in STAGES if before[stage].sha256 != after[stage].sha256]
    assert changed == (NOT_PRETRAIN if where[0] is SftSettings else STAGES)
    for stage in changed:  # what it was before, by its own code or that of what it starts from
        earlier = {one.sha256: one.changes for one in after[stage].earlier}
        assert earlier[before[stage].sha256] == (change,)
        assert {one.sha256 for one in before[stage].earlier} <= set(earlier)


def test_the_version_of_a_source_counts(monkeypatch):
    before = identities()
    monkeypatch.setattr(DrillsSource, "version", 99)
    after = identities()
    assert all(before[stage].sha256 != after[stage].sha256 for stage in STAGES)


@pytest.fixture
def real_data(data_dir, tmp_path):
    for name in ("gsm8k", "gpt2"):
        shutil.copytree(data_dir / name, tmp_path / name)
    return tmp_path


def test_files_count_by_content(real_data):
    changes = [("tokenizer.kind", "gpt2"), ("stages.grpo.data", [{"source": "gsm8k"}])]
    before = identities(changes, data_dir=real_data)
    copied = shutil.copytree(real_data, real_data / "elsewhere")
    assert identities(changes, data_dir=copied) == before
    with (copied / "gsm8k" / "train.jsonl").open("a") as file:
        file.write(json.dumps({"question": "1 + 1?", "answer": "#### 2"}) + "\n")
    after = identities(changes, data_dir=copied)
    assert [stage for stage in before if before[stage].sha256 != after[stage].sha256] == ["grpo"]
    (copied / "gpt2" / "merges.txt").write_text("")
    last = identities(changes, data_dir=copied)
    assert all(before[stage].sha256 != last[stage].sha256 for stage in STAGES)


def test_a_checkpoint_to_start_from_counts_by_content(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
    first = identities([("model.start_from", str(tmp_path / "a"))])
    assert first == identities([("model.start_from", str(tmp_path / "b"))])
    (tmp_path / "b" / "model.safetensors").write_bytes(b"others")
    second = identities([("model.start_from", str(tmp_path / "b"))])
    assert all(first[stage].sha256 != second[stage].sha256 for stage in STAGES)


def test_a_teacher_counts_by_content(tmp_path):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    changes = [("scale", "tiny"), ("stages.distill.teacher", {"kind": "local", "checkpoint": str(tmp_path)})]

    def found():
        specs = recipes.resolve(recipes.build(recipes.read("hypothesis_c_distillation"), changes))
        specs = [spec.model_copy(update={"parent": None}) for spec in specs if spec.stage == "distill"]
        return identity.of_specs(specs, Path("nowhere"))

    before = found()
    weights.write_bytes(b"others")
    after = found()
    assert all(before[place].sha256 != after[place].sha256 for place in before)


def test_what_cannot_be_told_is_unknown_and_so_is_all_below_it(tmp_path):
    source = {"source": "gsm8k"}  # there are no files
    found = identities([("stages.curriculum.steps.drills.data", [source]), ("tokenizer.kind", "gpt2"),
                        ("tokenizer.path", "openai-community/gpt2")], data_dir=tmp_path)  # fmt: skip
    known = [stage for stage in STAGES if found[stage] != identity.UNKNOWN]
    assert known == ["pretrain", "instruct"]


PLAIN, INJECTED = {"name": "baseline"}, {"name": "treated", "overrides": {"mul_tokens.inject": True}}
SCRATCHPAD = {"name": "worked", "overrides": {"text.format": "scratchpad"}}
FITTING = ["instruct", "curriculum"]  # leave out what is too long


def test_a_spec_says_how_every_condition_writes_whatever_their_order():
    def forms(*conditions):
        specs = recipes.resolve(recipes.build(recipes.read("smoke"), [("conditions", list(conditions))]))
        assert len({repr(spec.forms) for spec in specs}) == 1
        return [(form.inject, form.format) for form in specs[0].forms]

    assert forms(PLAIN) == [(False, "plain")]
    assert forms(PLAIN, INJECTED) == forms(INJECTED, PLAIN) == [(False, "plain"), (True, "plain")]
    assert forms(PLAIN, SCRATCHPAD, INJECTED) == [(False, "plain"), (False, "scratchpad"), (True, "plain")]


def test_another_way_of_writing_among_the_conditions_is_another_choice_of_examples():
    alone = identities([("conditions", [PLAIN])])
    beside = identities([("conditions", [PLAIN, INJECTED])])
    three = identities([("conditions", [PLAIN, INJECTED, SCRATCHPAD])])
    assert alone["pretrain"] == beside["pretrain"] == three["pretrain"]  # it leaves out nothing
    for first, second in ((alone, beside), (beside, three)):
        assert all(first[stage].sha256 != second[stage].sha256 for stage in FITTING)
    again = identities([("conditions", [PLAIN, {"name": "other", "overrides": {"stages.grpo.beta": 0.5}}])])
    assert again == alone  # both write alike


def test_specs_from_before_knew_their_own_way_alone():
    spec = recipes.resolve(recipes.build(recipes.read("smoke"), [("conditions", [PLAIN])]))[1]
    stored = spec.model_dump(mode="json", exclude={"forms"})
    assert identity.determining(recipes.StageSpec.model_validate(stored)) == identity.determining(spec)


def test_the_version_of_injection_counts_where_something_is_injected(monkeypatch):
    def found():
        specs = recipes.resolve(recipes.build(recipes.read("smoke"), [("conditions", [PLAIN, INJECTED])]))
        return identity.of_specs(specs, Path("nowhere"))

    before = found()
    monkeypatch.setattr(mul_tokens, "VERSION", 99)
    after = found()
    same = {place[:2] for place in before if before[place] == after[place]}
    assert same == {("baseline", "pretrain")}  # the stages after it leave out what is too long when injected
