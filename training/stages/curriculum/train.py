"""Curriculum: the steps' examples, one step after the other → TRL's SFTTrainer."""

from training.engine import stage_helpers, supervised
from training.engine.run_context import Run
from training.stages.curriculum.config import CurriculumSettings


def run(run: Run) -> None:
    """Learn each step's completions with a schedule and an optimizer of its own; the step counter goes on."""
    settings = run.spec.settings
    assert isinstance(settings, CurriculumSettings)
    if run.done:
        return stage_helpers.evaluate_again(run)
    stage_helpers.refuse_beyond_context(run, "max_length", settings.max_length)

    tokenizer = stage_helpers.load_tokenizer(run)
    model = stage_helpers.load_model(run, tokenizer)
    parts = [
        supervised.Part(
            name=step.name,
            stream=stage_helpers.examples(run, step.data, step.name),
            examples=step.examples,
            epochs=step.epochs,
            learning_rate=step.learning_rate,
        )
        for step in settings.steps
    ]
    step = supervised.train(run, settings, parts, settings.max_length, model, tokenizer)
    stage_helpers.finish(run, model, tokenizer, step)
