"""How every stage begins and ends: its tokenizer, model and data; its final checkpoint and benchmarks."""

import random
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from training.architecture import model
from training.data import mixture, skipped
from training.data.example import Example
from training.engine import evaluation, room
from training.engine.run_context import Run, Stopped
from training.process import checkpoints, ranks
from training.process.journal import PREPARING
from training.sampling import learnt_entries
from training.settings.shared import TextForm
from training.text import tokenizer

CORPUS_TEXTS = 2_000  # of every mixture of the recipe, that a small_bpe is trained on
CORPUS_SEED = 0  # one vocabulary for all seeds
MOST_PASSED = 10_000  # examples of the validation split in a row


def load_tokenizer(run: Run) -> PreTrainedTokenizerFast:
    """The parent's tokenizer; for a first stage, start_from's or the recipe's (small_bpe is trained on all stages' data)."""
    if run.parent is not None:
        return tokenizer.from_checkpoint(run.parent)

    def corpus() -> Iterator[str]:
        for sources in run.spec.corpus:
            yield from mixture.texts(sources, CORPUS_TEXTS, seed=CORPUS_SEED, data_dir=run.data_dir)

    def recipes() -> PreTrainedTokenizerFast:
        return tokenizer.load(run.spec.tokenizer, corpus, run.data_dir)

    start = run.spec.model.start_from
    return recipes() if start is None else tokenizer.of_start(start, model.entries(start), recipes)


def load_model(run: Run, tokens: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    """The parent's model, or a new one. A resumed stage gets its weights from the trainer, over these."""
    if run.parent is not None:
        loaded = model.load(run.parent)
    else:
        loaded = model.build(
            run.spec.model,
            tokenizer.vocabulary_size(tokens),
            eos_id=tokens.eos_token_id,
            pad_id=tokens.pad_token_id,
            seed=run.spec.seed,
            tokenizer=tokens,
        )
    run.journal.log(
        f"{type(loaded).__name__} of {loaded.num_parameters():,} parameters, "
        f"{loaded.config.vocab_size:,} entries, from {run.parent or run.spec.model.start_from or 'random weights'}"
    )
    if run.resume is not None:
        run.journal.log(f"resumed from step {run.resume.step}")
    note_learnt(run, loaded, tokens)
    return loaded


def note_learnt(run: Run, loaded: GPT2LMHeadModel, tokens: PreTrainedTokenizerFast) -> None:
    """Note in the model's configuration, which its checkpoints keep, whether it learns mul-tokens or has learnt them."""
    known = learnt_entries.recorded(loaded)
    if known is None:  # weights from elsewhere, or of a version that noted nothing
        start = run.spec.model.start_from
        known = start is not None and (
            run.parent is not None or model.entries(start) > tokenizer.mul_token_ids(tokens).start
        )
    learnt_entries.record(loaded, known or run.spec.mul_tokens.inject)


def examples(run: Run, sources: Sequence[Any], part: str = "") -> Iterator[Example]:
    """The stage's examples as their sources have them, endless; the same in every condition, different in every stage."""
    watch = None
    if run.contamination is not None:
        path = next(path for path, mixed in run.spec.settings.mixtures().items() if mixed is sources)
        watch = partial(run.contamination.look, path)
    drawn = mixture.stream(sources, seed=seed(run, part), data_dir=run.data_dir, watch=watch)
    left_out = evaluation.held_out(run)
    return _passing_over(left_out, drawn) if left_out else drawn


def _passing_over(prompts: frozenset[str], drawn: Iterator[Example]) -> Iterator[Example]:
    """Yield the other examples. Raises ValueError where the sources seem to have no others."""
    passed = 0
    for example in drawn:
        if example.prompt not in prompts:
            passed = 0
            yield example
        elif (passed := passed + 1) > MOST_PASSED:
            raise ValueError(
                f"{passed:,} examples in a row are problems of the validation split, which the stage does not learn; take more "
                "data, or leave evaluate_every empty"
            )


def forms(run: Run) -> list[TextForm]:
    """How this condition writes an example, and after that how the other ones of its experiment do."""
    return [run.spec.form, *run.spec.other_forms]


class Preparation:
    """Progress of making data, into the journal once a second; ends the stage when it is told to stop."""

    def __init__(self, run: Run, unit: str) -> None:
        self.run, self.unit = run, unit
        self._last_record = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Tell how far it is. Raises Stopped."""
        if (now := time.monotonic()) - self._last_record >= 1:
            self._last_record = now
            reason = self.run.own_stop_reason()  # each process for itself: they are at different points
            if reason is not None:
                raise Stopped(reason)
            self.run.journal.progress(done, total, self.unit, PREPARING)


def record_drawn(run: Run) -> None:
    """Tell how many items sources left out while examples were drawn, and which problems of benchmarks the others hold."""
    for line in skipped.lines():
        run.journal.log(line)
    if run.contamination is not None and run.contamination.texts:
        run.journal.append("contamination", sources=run.contamination.rows(run.data))


def seed(run: Run, part: str = "") -> int:
    """A seed from the run's seed and the stage's name, so that two stages do not draw the same examples."""
    return random.Random(f"{run.spec.seed} {run.spec.stage} {part}").getrandbits(31)


def refuse_beyond_context(run: Run, setting: str, length: int) -> None:
    """Raise ValueError when rows of this length do not fit the model's context."""
    if length > run.spec.model.n_positions:
        raise ValueError(
            f"{setting} {length} is more than the model's context; lower it to at most model.n_positions "
            f"{run.spec.model.n_positions}"
        )


def finish(run: Run, trained: GPT2LMHeadModel, tokens: PreTrainedTokenizerFast, step: int) -> None:
    """Save the stage's result, verified, announce it, and run the benchmarks on it."""
    if ranks.index() == 0:
        room.wait(run, room.of_weights(trained))
        with checkpoints.write(run.checkpoints, checkpoints.FINAL, step=step, key=run.key) as folder:
            model.save(trained, tokens, folder)
            model.verify(folder, trained)  # before it gets its name
        announce(run, run.checkpoints / checkpoints.FINAL)
    run.journal.log(f"trained to step {step}; the saved checkpoint gives the same logits")
    evaluation.evaluate(run, trained, tokens, step)


def evaluate_again(run: Run) -> None:
    """What is left to do when an earlier attempt ended after training: the benchmarks."""
    assert run.done is not None
    announce(run, run.done.path)
    trained = model.load(run.done.path).to(run.device)
    tokens = tokenizer.from_checkpoint(run.done.path)
    note_learnt(run, trained, tokens)
    evaluation.evaluate(run, trained, tokens, run.done.step)


def announce(run: Run, path: Path) -> None:
    """Record a checkpoint in the journal."""
    found = checkpoints.read(path)
    if found is None:
        raise ValueError(f"the checkpoint in {path} is broken or incomplete; run its stage again")
    run.journal.append(
        "checkpoint",
        step=found.step,
        path=str(path.resolve()),
        final=found.final,
        manifest_sha256=found.manifest_sha256,
        bytes=found.bytes,
    )
