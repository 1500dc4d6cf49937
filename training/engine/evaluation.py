"""Runs benchmarks on a model and records every problem's outcome with its text."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from training.benchmarks import BENCHMARKS, Benchmark, Problem
from training.benchmarks.comparable import comparable
from training.engine.run_context import Run
from training.process import ranks
from training.process.journal import OutcomeRow
from training.sampling import learnt_entries, likelihood
from training.sampling.sampler import Sample, Sampler
from training.settings.shared import BenchmarkSettings, TrainingStageSettings
from training.text import mul_tokens, written_equations
from training.text.repetition import repeats
from training.text.reserved import text_ids
from training.text.tokenizer import mul_token_ids

NO_RESPONSE = Sample(ids=[], ended=False, logprobs=[])


def evaluate(run: Run, model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, step: int) -> None:
    """Run the spec's benchmarks one after the other. Raises Stopped between batches when the run is told to stop.

    Several processes share the problems; the first one records the outcomes of all.
    """
    was_training = model.training
    model.eval()
    for settings in run.spec.benchmarks:
        benchmark = BENCHMARKS[settings.benchmark]
        problems = benchmark.asked(settings.problems, data_dir=run.data_dir)
        _Evaluation(run, settings, benchmark, problems, model, tokenizer).record(step)
    model.train(was_training)


def held_out(run: Run) -> frozenset[str]:
    """Prompts that the stage passes over where its sources have them, as it is evaluated on them while it trains."""
    if not run.spec.held_out:
        return frozenset()
    problems = BENCHMARKS[run.spec.held_out].validated(None, data_dir=run.data_dir)
    return frozenset(problem.prompt for problem in problems)


class Validation:
    """A stage's greedy evaluations while it trains, on the validation split of a benchmark. Nothing of it is random."""

    def __init__(self, run: Run, benchmark: Benchmark, settings: TrainingStageSettings) -> None:
        self.run, self.benchmark = run, benchmark
        self.every = settings.evaluate_every
        self.problems = benchmark.validated(settings.evaluate_problems, data_dir=run.data_dir)
        room = run.spec.model.n_positions - 1
        known = [one for one in run.spec.benchmarks if one.benchmark == benchmark.name]
        plain = BenchmarkSettings(benchmark=benchmark.name)
        self.settings = (
            known[0]
            if known
            else plain.model_copy(update={"max_new_tokens": min(plain.max_new_tokens, room)})
        )

    @classmethod
    def of(cls, run: Run) -> "Validation | None":
        """As the stage's settings want it; None where they want none."""
        benchmark, settings = run.spec.validated_by, run.spec.settings
        if benchmark is None or not isinstance(settings, TrainingStageSettings):
            return None
        return cls(run, benchmark, settings)

    def is_due(self, step: int, last: int) -> bool:
        """Whether it is asked after this step: every so many, and after the last one."""
        return self.every is not None and (step % self.every == 0 or step >= last)

    def measure(self, model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, float]:
        """The metrics: which share is right, and of how many. The model is as it was afterwards; all processes share the problems."""
        was_training = model.training
        model.eval()
        found = _Evaluation(self.run, self.settings, self.benchmark, self.problems, model, tokenizer)
        right = ranks.total(found.right())[0]
        model.train(was_training)
        count = len(self.problems)
        name = f"validation/{self.benchmark.name}"
        return {f"{name}/accuracy": right / count, f"{name}/problems": float(count)}


@dataclass(frozen=True)
class _Evaluation:
    """A model on one benchmark."""

    run: Run
    settings: BenchmarkSettings
    benchmark: Benchmark
    problems: list[Problem]
    model: GPT2LMHeadModel
    tokenizer: PreTrainedTokenizerFast

    def record(self, step: int) -> None:
        """Announce the evaluation and append its outcomes batch by batch, the samples after the one that counts."""
        self.run.stop_if_asked()
        name, count = self.benchmark.name, len(self.problems)
        self.run.journal.append(
            "evaluation",
            evaluation=self._key,
            benchmark=name,
            step=step,
            problems=count,
            settings=comparable(self.settings, self.benchmark, self.problems),
        )
        answers = self._chosen() if self.benchmark.kind == "choice" else self._written()
        correct = self._append(answers, count, "problems")
        self.run.journal.log(f"{name}: {correct} of {count} correct")
        if self.settings.samples:
            drawn = count * self.settings.samples
            correct = self._append(self._sampled(), drawn, "samples")
            temperature = f"temperature {self.settings.temperature:g}"
            self.run.journal.log(f"{name}: {correct} of {drawn} samples at {temperature} correct")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # the cache of a large batch would be missing in what comes next

    def right(self) -> int:
        """How many of this process's problems are answered right, greedily; nothing is recorded."""
        return sum(row["correct"] for rows in self._written(told=False) for row in rows)

    @property
    def _key(self) -> str:
        return f"{self.benchmark.name}@{len(self.problems)}"

    def _append(self, batches: Iterator[list[OutcomeRow]], total: int, unit: str) -> int:
        """Record batches with progress; return how many of their completions are correct."""
        done = correct = 0
        for rows in ranks.together(batches):
            self.run.journal.append("outcomes", evaluation=self._key, rows=rows)
            done += len(rows)
            correct += sum(row["correct"] for row in rows)
            self.run.journal.progress(done, total, unit, self.benchmark.name)
            self.run.stop_if_asked()
        return correct

    def _written(self, *, told: bool = True) -> Iterator[list[OutcomeRow]]:
        """Yield the outcomes of greedy completions, batch by batch; the log is `told` of prompts that are too long."""
        outcomes = _Outcomes(self.benchmark, self.tokenizer)
        problems, prompts, too_long = self._prompts(self._mine)
        if told and (everywhere := int(ranks.total(len(too_long))[0])):
            name = self.benchmark.name
            self.run.journal.log(
                f"{everywhere} prompts of {name} are longer than the model's context: no answer", "warning"
            )
        if too_long:  # wrong, not left out: every model gets the same problems
            yield [outcomes.row(problem, NO_RESPONSE) for problem in too_long]
        for batch in self._sampler().greedy_batches(
            prompts, self.settings.max_new_tokens, self.settings.batch_size
        ):
            yield [outcomes.row(problems[i], sample) for i, sample in batch.items()]

    def _sampled(self) -> Iterator[list[OutcomeRow]]:
        """Yield the outcomes of completions drawn at the temperature: the same ones whenever this is run again.

        The first of several processes draws them all, as draws depend on what is drawn together.
        """
        if ranks.index() != 0:
            return
        outcomes, samples = _Outcomes(self.benchmark, self.tokenizer), self.settings.samples
        problems, prompts, too_long = self._prompts(self.problems)
        if too_long:
            yield [row for p in too_long for row in outcomes.samples(p, [NO_RESPONSE] * samples)]
        seed = random.Random(f"{self.run.spec.seed} {self.benchmark.name} samples").getrandbits(31)
        for batch in self._sampler().sample_batches(
            prompts,
            samples=samples,
            temperature=self.settings.temperature,
            max_new_tokens=self.settings.max_new_tokens,
            batch_size=self.settings.batch_size,
            generator=torch.Generator(self.model.device).manual_seed(seed),
        ):
            yield [row for i, drawn in batch.items() for row in outcomes.samples(problems[i], drawn)]

    def _chosen(self) -> Iterator[list[OutcomeRow]]:
        """Yield the outcomes of choices, batch by batch: the completion is the choice that is likeliest per token."""
        outcomes, mine = _Outcomes(self.benchmark, self.tokenizer), self._mine
        for batch in likelihood.choices(
            self.model,
            self.tokenizer,
            mine,
            context=self.model.config.n_positions,
            batch_size=self.settings.batch_size,
        ):
            yield [outcomes.choice(mine[i], choice) for i, choice in batch.items()]

    @property
    def _mine(self) -> list[Problem]:
        """This process's share of the problems."""
        return self.problems[ranks.index() :: ranks.count()]

    def _prompts(self, problems: list[Problem]) -> tuple[list[Problem], list[list[int]], list[Problem]]:
        """Those whose prompts fit the model's context, those prompts' ids, and the others."""
        ids = [text_ids(self.tokenizer, p.prompt) for p in problems]
        fits = [len(one) < self.model.config.n_positions for one in ids]
        return (
            [p for p, fit in zip(problems, fits, strict=True) if fit],
            [one for one, fit in zip(ids, fits, strict=True) if fit],
            [p for p, fit in zip(problems, fits, strict=True) if not fit],
        )

    def _sampler(self) -> Sampler:
        # the end pads too: it is masked, and a model from elsewhere may have no row for padding
        eos_id = self.tokenizer.eos_token_id
        never = learnt_entries.never_learnt(self.model, self.tokenizer)
        return Sampler(self.model, eos_id=eos_id, pad_id=eos_id, never=never)


class _Outcomes:
    """Completions → outcome rows."""

    def __init__(self, benchmark: Benchmark, tokenizer: PreTrainedTokenizerFast) -> None:
        self.benchmark, self.tokenizer = benchmark, tokenizer
        self.first_mul_token = mul_token_ids(tokenizer).start

    def row(self, problem: Problem, sample: Sample) -> OutcomeRow:
        """Grade one completion, and the equations that it writes."""
        completion = self.tokenizer.decode(sample.ids, skip_special_tokens=True)
        written = written_equations.check(completion)
        return {
            **self._graded(problem, completion, len(sample.ids)),
            "mul_tokens": mul_tokens.count(sample.ids, self.first_mul_token),
            "repeats": repeats(completion),
            "hit_limit": not sample.ended,
            "steps_written": written.written,
            "steps_right": written.right,
        }

    def samples(self, problem: Problem, drawn: list[Sample]) -> list[OutcomeRow]:
        """Grade several completions of one problem, numbered from 1."""
        return [{**self.row(problem, sample), "sample": place} for place, sample in enumerate(drawn, 1)]

    def choice(self, problem: Problem, choice: likelihood.Choice) -> OutcomeRow:
        """Grade one choice."""
        return self._graded(problem, problem.choices[choice.number], choice.tokens)

    def _graded(self, problem: Problem, completion: str, tokens: int) -> OutcomeRow:
        graded = self.benchmark.grade(problem, completion)
        row: OutcomeRow = {
            "problem": problem.id,
            "prompt": problem.prompt,
            "completion": completion,
            "reference": problem.reference,
            "final_answer": graded.final_answer,
            "tokens": tokens,
            "correct": graded.correct,
            "mul_tokens": 0,
            "repeats": False,
            "hit_limit": False,
            "labels": list(problem.labels),
        }
        if graded.rule is not None:
            row["answer_rule"] = graded.rule
        return row
