"""Pre-training: rows of token shards → transformers' Trainer."""

import time
from itertools import islice

from transformers import PreTrainedTokenizerFast, TrainingArguments

from training.data import pretokenized
from training.data.kept import KeptExamples
from training.data.mixture import cycled
from training.data.pretokenized import Making, Pretokenized
from training.engine import evaluation, stage_helpers
from training.engine.run_context import Run
from training.engine.trainers import BatchPlan, Phase, training_arguments
from training.stages.pretrain.config import PretrainSettings
from training.stages.pretrain.trainer import Consecutive, PretrainTrainer, collated


def run(run: Run) -> None:
    """Train on new text for the set number of steps."""
    settings = run.spec.settings
    assert isinstance(settings, PretrainSettings)
    if run.done:
        return stage_helpers.evaluate_again(run)
    stage_helpers.refuse_beyond_context(run, "length", settings.length)

    tokenizer = stage_helpers.load_tokenizer(run)
    model = stage_helpers.load_model(run, tokenizer)
    passes = settings.steps * settings.gradient_accumulation
    rows = _rows(run, settings, tokenizer, passes * settings.batch_size)

    trainer = PretrainTrainer(
        model=model,
        args=TrainingArguments(
            **training_arguments(run, settings, settings.steps),
            torch_compile=settings.compile,
            per_device_eval_batch_size=settings.batch_size,
            prediction_loss_only=True,
        ),
        train_dataset=rows.training,
        eval_dataset=rows.validation,
        data_collator=collated,
        processing_class=tokenizer,
    )
    trainer.plan = BatchPlan(Consecutive(passes, settings.batch_size))
    trainer.set_up(run, settings, [Phase("train", 0, settings.steps, settings.optimizer.learning_rate)])
    trainer.set_up_pretraining(
        shards=rows.key,
        length=settings.length,
        peak_flops=settings.peak_flops,
        precision=settings.precision,
        validate_every=settings.validate_every,
    )
    step = trainer.train_to_end()
    stage_helpers.finish(run, model, tokenizer, step)


def _rows(
    run: Run, settings: PretrainSettings, tokenizer: PreTrainedTokenizerFast, count: int
) -> Pretokenized:
    """The rows of the stage; the same in every condition but for mul-tokens, different in every stage."""
    began = time.monotonic()
    making = Making(
        sources=settings.data,
        identities=run.data,
        seed=stage_helpers.seed(run),
        data_dir=run.data_dir,
        tokenizer=tokenizer,
        form=run.spec.form,
        validation_tokens=settings.validation_tokens,
        left_out=evaluation.held_out(run),
    )
    found = pretokenized.rows(
        run.cache_dir,
        making,
        length=settings.length,
        count=count,
        tick=stage_helpers.Preparation(run, "tokens"),
    )
    _look(run, making, found)
    stage_helpers.record_drawn(run)
    whole: KeptExamples = {
        "part": "train",
        "passes": 1,
        "examples": sum(dose["examples"] for dose in found.sources),
        "too_long": 0,
        "sha256": making.texts_sha256,
        "sources": found.sources,
    }
    run.journal.append("examples", parts=[whole])
    made = (
        f"{found.made:,} tokens made in {time.monotonic() - began:.1f} s" if found.made else "nothing to make"
    )
    run.journal.log(f"token shards {found.key}: {made}")
    return found


def _look(run: Run, making: Making, found: Pretokenized) -> None:
    """Look for problems of benchmarks in the texts of the shards, from each source's first one on, as long as there is time.

    They are read once more: shards may have been made by another run, for other benchmarks.
    """
    if run.contamination is None:
        return
    looked = run.contamination
    told = stage_helpers.Preparation(run, "texts checked")
    drawn = list(zip(pretokenized.pinned(making), found.texts, strict=True))
    end = time.monotonic() + looked.left
    for place, (source, texts) in enumerate(drawn):
        until = time.monotonic() + (end - time.monotonic()) / (len(drawn) - place)
        stream = cycled(source, place, making.seed, making.data_dir, 0)
        for number, example in enumerate(islice(stream, texts), start=1):
            looked.look("data", place, example)
            told(number, texts)
            if time.monotonic() > until:
                break
        looked.drew("data", place, texts)
