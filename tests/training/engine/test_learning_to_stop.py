"""A model that was fine-tuned on drills ends its completions by itself, whatever id the padding has."""

from itertools import islice
from pathlib import Path

import pytest

from tests.training.conftest import Stage, Stages
from training.architecture import model
from training.data.sources import drills
from training.data.sources.drills import DrillsSource
from training.engine import stage_helpers
from training.engine.run_context import Run
from training.process.journal import Journal
from training.recipes.recipe import RunSpec
from training.sampling.sampler import Sampler
from training.settings.shared import ModelSettings, TokenizerSettings
from training.text import tokenizer

SIZE = ModelSettings(n_layer=1, n_head=4, n_embd=48, n_positions=160, initial_std=0.08)
DRILLS = DrillsSource(source="drills")
LIMIT = 90  # tokens; the longest drill's answer has 75
EXAMPLES = 4000
CHANGES = [
    ("model", SIZE.model_dump()),
    ("stages.sft.data", [DRILLS.model_dump()]),
    ("stages.sft.examples", EXAMPLES),
    ("stages.sft.epochs", 1),
    ("stages.sft.batch_size", 16),
    ("stages.sft.gradient_accumulation", 1),
    ("stages.sft.max_length", 160),
    ("stages.sft.save_every", 1000),
    ("stages.sft.optimizer", {"learning_rate": 1e-2}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("condition", "pad"), [("mul_tokens", "its own"), ("baseline", "the end of text")])
def test_responses_to_drills_end_by_end_of_text(
    condition: str, pad: str, stages: Stages, tmp_path: Path
) -> None:
    corpus = (example.text for example in islice(drills.examples(DRILLS, seed=0, data_dir=tmp_path), 2000))
    tokens = tokenizer.load(TokenizerSettings(entries=420), lambda: corpus, tmp_path)
    if pad == "the end of text":
        tokens.pad_token = tokens.eos_token
    ids = {"eos_id": tokens.eos_token_id, "pad_id": tokens.pad_token_id}
    model.save(model.build(SIZE, len(tokens), seed=0, **ids), tokens, tmp_path / "parent")

    made = stages.make("run", "sft", condition=condition, parent=tmp_path / "parent", changes=CHANGES)
    assert made.run() == 0, made.journal.records("finished")

    trained = model.load(made.checkpoints / "final")
    sampler = Sampler(trained, **ids)
    prompts = never_read(made, 400)
    completions = sampler.greedy([tokens(prompt).input_ids for prompt in prompts], LIMIT, 100)
    ended = sum(completion.ended for completion in completions)
    assert ended / len(completions) > 0.95


def never_read(made: Stage, count: int) -> list[str]:
    """Prompts of drills, of all tiers, that are not among those that the stage learnt from."""
    spec = RunSpec.model_validate_json((made.run_dir / "spec.json").read_text())
    journal = Journal(made.run_dir / "journal")
    run = Run.open(made.run_dir, spec, journal)
    journal.close()
    read = {example.prompt for example in islice(stage_helpers.examples(run, [DRILLS], "train"), EXAMPLES)}
    others = (example.prompt for example in drills.examples(DRILLS, seed=999, data_dir=Path()))
    return list(islice((prompt for prompt in others if prompt not in read), count))
