"""Curriculum: the steps' examples, one step after the other → TRL's SFTTrainer."""

from training import stage, supervised
from training.run import Run
from training.stages.curriculum.config import CurriculumSettings


def run(run: Run) -> None:
    """Learn each step's completions with a schedule and an optimizer of its own; the step counter goes on."""
    settings = run.spec.settings
    assert isinstance(settings, CurriculumSettings)
    if run.done:
        return stage.evaluate_again(run)
    stage.refuse_beyond_context(run, "max_length", settings.max_length)

    tokenizer = stage.load_tokenizer(run)
    model = stage.load_model(run, tokenizer)
    parts = [
        supervised.Part(
            name=step.name,
            drawn=stage.examples(run, step.data, step.name),
            examples=step.examples,
            epochs=step.epochs,
            learning_rate=step.learning_rate,
        )
        for step in settings.steps
    ]
    step = supervised.train(run, settings, parts, settings.max_length, model, tokenizer)
    stage.finish(run, model, tokenizer, step)
