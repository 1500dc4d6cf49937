"""Runs benchmarks on a model and records every problem's outcome with its text."""

from collections.abc import Iterator

import torch
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from training import likelihood, mul_tokens, ranks, steps
from training.benchmarks import BENCHMARKS, Benchmark, Problem
from training.benchmarks.comparable import comparable
from training.journal import OutcomeRow
from training.repetition import repeats
from training.run import Run
from training.sampler import Sample, Sampler
from training.settings import BenchmarkSettings
from training.tokenizer import mul_token_ids


def evaluate(run: Run, model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, step: int) -> None:
    """Run the spec's benchmarks one after the other. Raises Stopped between batches when the run is told to stop.

    Several processes share the problems; the first one records the outcomes of all.
    """
    for settings in run.spec.benchmarks:
        _run_benchmark(run, settings, model, tokenizer, step)


def _run_benchmark(
    run: Run,
    settings: BenchmarkSettings,
    model: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
    step: int,
) -> None:
    run.stop_if_told()
    benchmark = BENCHMARKS[settings.benchmark]
    problems = benchmark.problems(settings.problems, data_dir=run.data_dir)
    key = f"{benchmark.name}@{len(problems)}"
    run.journal.append(
        "evaluation",
        evaluation=key,
        benchmark=benchmark.name,
        step=step,
        problems=len(problems),
        settings=comparable(settings, benchmark, problems),
    )
    was_training = model.training
    model.eval()
    done = correct = 0
    answers = _chosen if benchmark.kind == "choice" else _written
    mine = problems[ranks.index() :: ranks.count()]
    for rows in ranks.together(answers(run, settings, benchmark, mine, model, tokenizer)):
        run.journal.append("outcomes", evaluation=key, rows=rows)
        done += len(rows)
        correct += sum(row["correct"] for row in rows)
        run.journal.progress(done, len(problems), "problems", benchmark.name)
        run.stop_if_told()
    run.journal.log(f"{benchmark.name}: {correct} of {done} correct")
    model.train(was_training)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the cache of a large batch would be missing in what comes next


def _written(
    run: Run,
    settings: BenchmarkSettings,
    benchmark: Benchmark,
    problems: list[Problem],
    model: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
) -> Iterator[list[OutcomeRow]]:
    """Yield the outcomes of responses that the model writes, batch by batch."""
    prompts = [tokenizer.encode(p.prompt, add_special_tokens=False) for p in problems]
    fitting = [i for i, prompt in enumerate(prompts) if len(prompt) < model.config.n_positions]
    outcomes = _Outcomes(benchmark, tokenizer)
    missing = len(problems) - len(fitting)
    if everywhere := int(ranks.total(missing)[0]):
        run.journal.log(
            f"{everywhere} prompts of {benchmark.name} are longer than the model's context: no answer",
            "warning",
        )
    if missing:  # wrong, not left out: every model gets the same problems
        rest = [p for i, p in enumerate(problems) if i not in set(fitting)]
        yield [outcomes.row(p, Sample(ids=[], ended=False, logprobs=[])) for p in rest]
    sampler = Sampler(model, eos_id=tokenizer.eos_token_id, pad_id=tokenizer.pad_token_id)
    chosen = [prompts[i] for i in fitting]
    for batch in sampler.greedy_batches(chosen, settings.max_new_tokens, settings.batch_size):
        yield [outcomes.row(problems[fitting[i]], sample) for i, sample in batch.items()]


def _chosen(
    run: Run,
    settings: BenchmarkSettings,
    benchmark: Benchmark,
    problems: list[Problem],
    model: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
) -> Iterator[list[OutcomeRow]]:
    """Yield the outcomes of choices, batch by batch: the response is the choice that is likeliest per token."""
    outcomes = _Outcomes(benchmark, tokenizer)
    for batch in likelihood.choices(
        model, tokenizer, problems, context=model.config.n_positions, batch_size=settings.batch_size
    ):
        yield [outcomes.choice(problems[i], choice) for i, choice in batch.items()]


class _Outcomes:
    """Responses → outcome rows."""

    def __init__(self, benchmark: Benchmark, tokenizer: PreTrainedTokenizerFast) -> None:
        self.benchmark, self.tokenizer = benchmark, tokenizer
        self.first_mul_token = mul_token_ids(tokenizer).start

    def row(self, problem: Problem, sample: Sample) -> OutcomeRow:
        """Grade one response, and the equations that it writes."""
        response = self.tokenizer.decode(sample.ids, skip_special_tokens=True)
        written = steps.check(response)
        return {
            **self._graded(problem, response, len(sample.ids)),
            "mul_tokens": mul_tokens.count(sample.ids, self.first_mul_token),
            "repeats": repeats(response),
            "hit_limit": not sample.ended,
            "steps_written": written.written,
            "steps_right": written.right,
        }

    def choice(self, problem: Problem, choice: likelihood.Choice) -> OutcomeRow:
        """Grade one choice."""
        return self._graded(problem, problem.choices[choice.number], choice.tokens)

    def _graded(self, problem: Problem, response: str, tokens: int) -> OutcomeRow:
        answer, correct = self.benchmark.grade(problem, response)
        return {
            "problem": problem.id,
            "prompt": problem.prompt,
            "response": response,
            "reference": problem.reference,
            "answer": answer,
            "tokens": tokens,
            "correct": correct,
            "mul_tokens": 0,
            "repeats": False,
            "hit_limit": False,
            "labels": list(problem.labels),
        }
