"""Sampled solutions: ask problems, grade the completions, keep the right ones, learn them; once or in several rounds."""

import json
import os
import statistics
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from training.architecture import model
from training.data import encoding
from training.data.example import Example
from training.data.kept import KeptTally
from training.engine import stage_helpers, supervised
from training.engine.run_context import Run
from training.process import checkpoints
from training.process.journal import RolloutRow
from training.settings.shared import TextForm
from training.teacher import Answer, Teacher
from training.teacher.cache import Cache
from training.teacher.config import SolutionSettings
from training.text import mul_tokens
from training.text.answers import extract_answer, same_number
from training.text.repetition import repeats
from training.text.reserved import text_ids

DRAWS_PER_PROBLEM = 3  # a source that has fewer different problems than were asked for ends the drawing
MORE_DRAWS = 1_000
TOLD_EVERY = 20  # problems
ROWS_AT_ONCE = 200  # in one record of rollouts

MakeTeacher = Callable[[GPT2LMHeadModel, PreTrainedTokenizerFast, Cache], Teacher]


@dataclass
class Round:
    """What one round sampled and kept; it lies in a file beside the checkpoints, so that every attempt learns the same."""

    step: int  # optimizer steps before it
    rows: list[RolloutRow]
    kept: list[Example]  # as they are learnt
    metrics: dict[str, float]
    asked: str = ""  # stands for the problems, in their order (training.data.kept)

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".new")
        kept = [[one.prompt, one.completion, one.mul_tokens, one.source] for one in self.kept]
        with aside.open("w", encoding="utf-8", errors="replace") as file:
            found = {"step": self.step, "metrics": self.metrics, "kept": kept, "rows": self.rows}
            json.dump({**found, "asked": self.asked}, file)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)

    @classmethod
    def read(cls, path: Path) -> "Round | None":
        """What an earlier attempt sampled; None where none came to the end of it."""
        if not path.exists():
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        kept = [
            # files of before said nothing, and their names of mul-tokens were tokens
            Example(prompt, text, mul_tokens=rest[0] if rest else True, source="".join(rest[1:]))
            for prompt, text, *rest in found["kept"]
        ]
        rows = cast("list[RolloutRow]", found["rows"])
        return cls(found["step"], rows, kept, found["metrics"], found.get("asked", ""))


def learn(run: Run, settings: SolutionSettings, make_teacher: MakeTeacher, *, rounds: int = 1) -> None:
    """Sample and learn so many times, each round from where the last one ended, and finish the stage."""
    tokenizer = stage_helpers.load_tokenizer(run)
    student = stage_helpers.load_model(run, tokenizer)
    parts: list[supervised.Part] = []
    begun = step = run.resume.step if run.resume else 0  # where this attempt begins
    planned = 0
    for number in range(1, rounds + 1):
        file = run.checkpoints / f"round-{number}.json"
        sampled = Round.read(file)
        if sampled is None:
            sampled = _sample(
                run, settings, make_teacher, _sampler(run, student, planned), tokenizer, planned, number
            )
            sampled.write(file)
        elif begun <= sampled.step:
            _record(run, sampled.step, sampled.rows)
        if begun <= sampled.step:
            run.journal.metrics(sampled.step + 1, sampled.metrics)
        _enough(run, settings, sampled, number)
        name = "train" if rounds == 1 else f"round_{number}"
        rate = settings.optimizer.learning_rate
        parts.append(
            supervised.Part(name, sampled.kept, len(sampled.kept), settings.epochs, rate, sampled.asked)
        )
        planned += supervised.steps(settings, parts[-1])
        if step < planned:
            last = number == rounds
            step = supervised.train(
                run, settings, parts, settings.max_length, student, tokenizer, goes_on=not last
            )
            run.resume = checkpoints.Own(run.checkpoints, run.key).newest()
    stage_helpers.finish(run, student, tokenizer, step)


def _sampler(run: Run, student: GPT2LMHeadModel, step: int) -> GPT2LMHeadModel:
    """The model at the beginning of a round."""
    if step == 0:
        return student.to(run.device)
    if run.resume is None or run.resume.step != step:
        raise ValueError(
            f"the checkpoint of step {step}, where the next round begins, is gone; run the stage anew"
        )
    return model.load(run.resume.path).to(run.device)


def _sample(
    run: Run,
    settings: SolutionSettings,
    make_teacher: MakeTeacher,
    sampler: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
    step: int,
    number: int,
) -> Round:
    """Ask the round's problems. Raises TeacherError, and Stopped when told to stop; what was answered is in the cache."""
    problems = _problems(run, settings, tokenizer, number)
    cache = Cache(run.cache_dir / "teacher")
    try:
        teacher = make_teacher(sampler, tokenizer, cache)
        run.journal.log(f"round {number}: {len(problems):,} problems × {settings.samples} to {teacher.name}")
        grader = _Grader(run, settings, tokenizer, first_group=(number - 1) * settings.problems)
        rows: list[RolloutRow] = []
        kept: list[Example] = []
        given: list[Answer] = []
        recorded = 0
        done = 0
        with closing(teacher.answers(problems)) as answered:
            for done, answers in enumerate(answered, start=1):
                graded, learnt = grader.judge(done - 1, problems[done - 1], answers)
                rows += graded
                kept += learnt
                given += answers
                if done % TOLD_EVERY == 0 or done == len(problems):
                    _record(run, step, rows[recorded:])
                    recorded = len(rows)
                    run.journal.progress(done, len(problems), "problems", "sampling")
                run.stop_if_asked()
        _record(run, step, rows[recorded:])
        if done < len(problems):
            text = f"the budget is spent: {done:,} of {len(problems):,} problems were asked"
            run.journal.log(text, "warning")
    finally:
        cache.close()
    asked = KeptTally(f"round {number}")
    for problem in problems:
        asked.keep(problem)
    return Round(step, rows, kept, _metrics(settings, rows, kept, given), asked.record()["sha256"])


def _problems(
    run: Run, settings: SolutionSettings, tokenizer: PreTrainedTokenizerFast, number: int
) -> list[Example]:
    """Different problems with an answer, in a new order every round. Raises ValueError when there is none."""
    found: dict[str, Example] = {}
    for draws, example in enumerate(stage_helpers.examples(run, settings.data, f"round {number}"), start=1):
        fits = len(text_ids(tokenizer, example.prompt)) < settings.max_length
        if example.answer is not None and fits:
            found.setdefault(example.prompt, example)
        if len(found) == settings.problems or draws >= DRAWS_PER_PROBLEM * settings.problems + MORE_DRAWS:
            break
    stage_helpers.record_drawn(run)
    if not found:
        raise ValueError(
            f"no problem has an answer and fits max_length {settings.max_length}; choose other data, or raise it"
        )
    if len(found) < settings.problems:
        run.journal.log(
            f"the sources have {len(found):,} different problems, not {settings.problems:,}", "warning"
        )
    return list(found.values())


class _Grader:
    """Completions → rollouts, and examples of those that are kept."""

    def __init__(
        self, run: Run, settings: SolutionSettings, tokenizer: PreTrainedTokenizerFast, first_group: int
    ) -> None:
        self.run, self.settings, self.tokenizer, self.first_group = run, settings, tokenizer, first_group

    def judge(
        self, number: int, problem: Example, answers: Sequence[Answer]
    ) -> tuple[list[RolloutRow], list[Example]]:
        """Grade a problem's completions; keep the first right ones that differ, ended by themselves, and fit."""
        rows, kept = [], dict[str, Example]()
        for answer in answers:
            row = self._row(number, problem, answer)
            text = " ".join(mul_tokens.expand(answer.text).split())
            if row["correct"] and answer.ended and text not in kept and len(kept) < self.settings.keep:
                written = [self._example(problem, answer, form) for form in stage_helpers.forms(self.run)]
                lengths = [len(encoding.encode(self.tokenizer, one)[0]) for one in written]
                if max(lengths) <= self.settings.max_length:  # in every condition's writing
                    kept[text] = written[0]
                    row["reward"] = row["components"]["kept"] = 1.0
            rows.append(row)
        return rows, list(kept.values())

    def _example(self, problem: Example, answer: Answer, form: TextForm) -> Example:
        """The completion as a condition learns it; where that one has no mul-tokens, a teacher's are taken out.

        Names of mul-tokens count as tokens where the teacher generated as many: one who spells them out wrote text.
        """
        text = answer.text.strip()
        tokens = 0 < answer.mul_tokens == len(mul_tokens.TOKEN.findall(text))
        if tokens and not form.inject:
            text, tokens = mul_tokens.expand(text), False
        return replace(problem, completion=f" {text}", mul_tokens=tokens).written(form)

    def _row(self, number: int, problem: Example, answer: Answer) -> RolloutRow:
        found = extract_answer(answer.text)
        correct = same_number(found, problem.answer)
        assert problem.answer is not None
        return {
            "group": self.first_group + number,
            "prompt": problem.prompt,
            "completion": answer.text,
            "reference": problem.answer,
            "final_answer": found,
            "tokens": answer.tokens_out,
            "reward": 0.0,
            "components": {"kept": 0.0},
            "advantage": None,
            "correct": correct,
            "mul_tokens": answer.mul_tokens,
            "repeats": repeats(answer.text),
            "hit_limit": not answer.ended,
        }


def _record(run: Run, step: int, rows: Sequence[RolloutRow]) -> None:
    """Record rollouts as those of the step that comes: a later attempt that samples again replaces them."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        run.journal.append("rollouts", step=step + 1, rows=rows[start : start + ROWS_AT_ONCE])


def _metrics(
    settings: SolutionSettings, rows: list[RolloutRow], kept: list[Example], given: list[Answer]
) -> dict[str, float]:
    if not rows:
        return {}
    return {
        "problems": float(len({row["group"] for row in rows})),
        "samples": float(len(rows)),
        "accuracy": statistics.fmean(row["correct"] for row in rows),
        "kept": len(kept) / len(rows),
        "repetition": statistics.fmean(row["repeats"] for row in rows),
        "mul_tokens": statistics.fmean(row["mul_tokens"] for row in rows),
        "completion_length": statistics.fmean(row["tokens"] for row in rows),
        "hit_limit": statistics.fmean(row["hit_limit"] for row in rows),
        "sampled_tokens": float(sum(one.tokens_in + one.tokens_out for one in given)),
        "cost": sum(one.cost for one in given),
        "paid": sum(one.cost for one in given if not one.cached),
        "cache_hits": statistics.fmean(one.cached for one in given),
    }


def _enough(run: Run, settings: SolutionSettings, sampled: Round, number: int) -> None:
    """Tell what a round kept. Raises ValueError when it is too little to learn from."""
    kept, rows = len(sampled.kept), sampled.rows
    right = sum(row["correct"] for row in rows)
    text = f"{right:,} of {len(rows):,} completions are right, {kept:,} were kept"
    run.journal.log(f"round {number}: {text}; cost {sampled.metrics.get('cost', 0):.2f}")
    if kept < settings.least_kept:
        advice = "ask a better teacher or easier problems, or sample more"
        raise ValueError(f"{text}, fewer than least_kept {settings.least_kept:,}; {advice}")
