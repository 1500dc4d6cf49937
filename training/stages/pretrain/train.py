"""Pre-training: packed rows → transformers' Trainer."""

from typing import Any

import torch
from transformers import TrainingArguments

from training import encoding, stage
from training.run import Run
from training.stages.pretrain.config import PretrainSettings
from training.trainers import BatchPlan, Phase, PretrainTrainer, training_arguments


def run(run: Run) -> None:
    """Train on new text for the set number of steps."""
    settings = run.spec.settings
    assert isinstance(settings, PretrainSettings)
    if run.done:
        return stage.evaluate_again(run)
    stage.refuse_beyond_context(run, "length", settings.length)

    tokenizer = stage.load_tokenizer(run)
    model = stage.load_model(run, tokenizer)
    passes = settings.steps * settings.gradient_accumulation
    rows = encoding.packed(
        tokenizer,
        stage.examples(run, settings.data),
        rows=passes * settings.batch_size,
        length=settings.length,
    )
    stage.log_skipped(run)
    plan = [list(range(i * settings.batch_size, (i + 1) * settings.batch_size)) for i in range(passes)]

    trainer = PretrainTrainer(
        model=model,
        args=TrainingArguments(**training_arguments(run, settings, settings.steps)),
        train_dataset=rows,
        data_collator=_collated,
        processing_class=tokenizer,
    )
    trainer.plan = BatchPlan(plan)
    trainer.set_up(run, settings, [Phase("train", 0, settings.steps, settings.optimizer.learning_rate)])
    step = trainer.train_to_end()
    stage.finish(run, model, tokenizer, step)


def _collated(rows: list[list[int]]) -> dict[str, Any]:
    ids = torch.tensor(rows)
    return {"input_ids": ids, "labels": ids}
