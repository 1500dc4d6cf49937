"""Distillation: problems → a teacher's right solutions → TRL's SFTTrainer."""

from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from training.architecture import model
from training.engine import sampled_completions, stage_helpers
from training.engine.run_context import Run
from training.stages.distillation.config import DistillationSettings
from training.teacher import Teacher
from training.teacher.cache import Cache
from training.teacher.endpoint import EndpointTeacher
from training.teacher.local import LocalTeacher
from training.text import tokenizer


def run(run: Run) -> None:
    """Learn what the teacher solved."""
    settings = run.spec.settings
    assert isinstance(settings, DistillationSettings)
    if run.done:
        return stage_helpers.evaluate_again(run)
    stage_helpers.refuse_beyond_context(run, "max_length", settings.max_length)

    def teacher(student: GPT2LMHeadModel, tokens: PreTrainedTokenizerFast, cache: Cache) -> Teacher:
        if settings.teacher.kind == "endpoint":
            return EndpointTeacher(settings.teacher.endpoint, settings, cache, run.stop_if_asked)
        if settings.teacher.checkpoint is None:
            return LocalTeacher(student, tokens, settings, cache, run.stop_if_asked)
        where = settings.teacher.checkpoint
        loaded, own = (
            model.load(where).to(run.device),
            tokenizer.of_start(where, model.entries(where), lambda: tokens),
        )
        return LocalTeacher(loaded, own, settings, cache, run.stop_if_asked)

    sampled_completions.learn(run, settings, teacher)
