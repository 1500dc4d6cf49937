"""Supervised fine-tuning in one or several parts: what sft and curriculum share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from datasets import Dataset
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import SFTConfig

from training.data import encoding
from training.data.example import Example
from training.data.kept import KeptExamples, KeptTally
from training.engine import stage_helpers
from training.engine.run_context import Run
from training.engine.trainers import BatchPlan, Phase, SftTrainer, right_padded, training_arguments
from training.settings.shared import TrainingStageSettings
from training.text.tokenizer import mul_token_ids


@dataclass(frozen=True)
class Part:
    """Data that is learnt with one schedule."""

    name: str
    stream: Iterable[Example]  # as the sources have them, or as the stage has made them
    examples: int  # the first that fit
    epochs: int
    learning_rate: float
    made: str | None = (
        None  # stands for examples that the stage has made as they are learnt: a hash, or nothing
    )


def steps(settings: TrainingStageSettings, part: Part) -> int:
    """Optimizer steps that a part takes; the last one of an epoch may be short."""
    return part.epochs * -(-part.examples // (settings.batch_size * settings.gradient_accumulation))


def train(
    run: Run,
    settings: TrainingStageSettings,
    parts: Sequence[Part],
    max_length: int,
    model: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    goes_on: bool = False,
) -> int:
    """Train on the parts in order, each with a fresh optimizer; return the last step. Raises Stopped.

    With goes_on the last step is a point to resume from, as others are, for more parts behind these.
    """
    columns: list[dict[str, list[list[int]]]] = []
    plan: list[list[int]] = []
    phases: list[Phase] = []
    rows = 0
    kept: list[KeptExamples] = []
    for part in parts:
        tally = KeptTally(part.name, passes=part.epochs, ids=mul_token_ids(tokenizer))
        encoded = encoding.supervised(
            tokenizer,
            part.stream,
            count=part.examples,
            max_length=max_length,
            forms=stage_helpers.forms(run) if part.made is None else (),
            tally=tally,
            tick=stage_helpers.Preparation(run, "examples"),
        )
        kept.append(tally.record(part.made))
        stage_helpers.record_drawn(run)
        batches = encoding.batches(
            [len(ids) for ids in encoded["input_ids"]],
            batch_size=settings.batch_size,
            accumulation=settings.gradient_accumulation,
            epochs=part.epochs,
            seed=stage_helpers.seed(run, f"{part.name} order"),
        )
        phases.append(
            Phase(
                name=part.name,
                start=len(plan) // settings.gradient_accumulation,
                steps=len(batches) // settings.gradient_accumulation,
                learning_rate=part.learning_rate,
            )
        )
        plan += [[rows + i for i in batch] for batch in batches]
        rows += part.examples
        columns.append(encoded)
    run.journal.append("examples", parts=kept)

    trainer = SftTrainer(
        model=model,
        args=SFTConfig(
            **training_arguments(run, settings, len(plan) // settings.gradient_accumulation),
            gradient_checkpointing=False,  # TRL: True
            max_length=None,  # TRL: 1024; what is too long was left out
            dataset_kwargs={"skip_prepare_dataset": True},  # TRL would encode once more, in a cache on disk
        ),
        train_dataset=Dataset.from_dict(
            {name: list(chain.from_iterable(c[name] for c in columns)) for name in ("input_ids", "labels")}
        ),
        data_collator=partial(right_padded, pad_id=tokenizer.pad_token_id),
        processing_class=tokenizer,
    )
    trainer.plan = BatchPlan(plan)
    trainer.set_up(run, settings, phases)
    trainer.journal_callback.save_last = goes_on
    return trainer.train_to_end()
