"""Supervised fine-tuning: examples of a mixture → TRL's SFTTrainer."""

from training.engine import stage_helpers, supervised
from training.engine.run_context import Run
from training.stages.sft.config import SftSettings


def run(run: Run) -> None:
    """Learn the completions of the drawn examples."""
    settings = run.spec.settings
    assert isinstance(settings, SftSettings)
    if run.done:
        return stage_helpers.evaluate_again(run)
    stage_helpers.refuse_beyond_context(run, "max_length", settings.max_length)

    tokenizer = stage_helpers.load_tokenizer(run)
    model = stage_helpers.load_model(run, tokenizer)
    drawn = stage_helpers.examples(run, settings.data, "train")
    rate = settings.optimizer.learning_rate
    part = supervised.Part("train", drawn, settings.examples, settings.epochs, rate)
    step = supervised.train(run, settings, [part], settings.max_length, model, tokenizer)
    stage_helpers.finish(run, model, tokenizer, step)
