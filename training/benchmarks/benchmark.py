"""What a benchmark is: its problems, its prompt, its grader."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from training.benchmarks.clusters import ClusterVariable

LONGEST_ID = 100  # characters that an outcome's column `problem` holds


@dataclass(frozen=True)
class Problem:
    """One problem; the same in every evaluation, whatever the seed and the condition."""

    id: str  # stable within the benchmark: pairs are formed by it
    prompt: str
    reference: str  # the right final answer; of choices the right one's number, from 0
    choices: tuple[str, ...] = ()  # continuations of the prompt, for benchmarks of kind "choice"
    labels: tuple[
        str, ...
    ] = ()  # the groups of problems that it belongs to, each with an accuracy of its own


class ProblemsFunction(Protocol):
    """Returns the first `count` problems, or all; the first are the same for every count."""

    def __call__(self, count: int | None, *, data_dir: Path) -> list[Problem]: ...


class Graded(NamedTuple):
    """A completion as it was graded."""

    final_answer: str | None  # what it answers; None: nothing that could be right
    correct: bool
    rule: str | None = (
        None  # how the answer was found: one of training.text.answers.RULES; None: there is one way only
    )


class GradeFunction(Protocol):
    """Grades a completion; of choices it is the chosen one."""

    def __call__(self, problem: Problem, completion: str) -> Graded: ...


@dataclass(frozen=True)
class Benchmark:
    """One benchmark; `grader` and `prompt_format` say what two results must share to be compared."""

    name: str
    grader: str  # name/version; a change in grading changes the version
    prompt_format: str
    problems: ProblemsFunction
    grade: GradeFunction
    size: int  # problems there are in all
    tokens: int  # of a prompt on average, in GPT-2's tokens; of choices, of all of them with the prompt before each
    reads: tuple[
        str, ...
    ] = ()  # files and folders below the data folder; none where it makes its problems itself
    taught: tuple[str, ...] = ()  # labels of problems that training data are meant to hold
    # its problems differ from generated training texts in their numbers alone, as is meant: only exact ones are a finding
    numbers_decide: bool = False
    kind: Literal["answer", "choice"] = (
        "answer"  # the model writes a completion, or its likeliest choice counts
    )
    clusters: ClusterVariable | None = None  # what its problems share; None: each is a draw of its own
    # problems of its kind that it never asks, for evaluations while a stage trains; None: there are none
    validation: ProblemsFunction | None = None
    validation_from: str = (
        ""  # whose training set they are of, so that a stage must not learn them; "": no source has them
    )

    def asked(self, count: int | None, *, data_dir: Path) -> list[Problem]:
        """Return the first `count` problems, or all; one at least, and no two of the same id.

        Raises ValueError where the files are missing, broken or empty.
        """
        return self._checked(self.problems(count, data_dir=data_dir), data_dir)

    def validated(self, count: int | None, *, data_dir: Path) -> list[Problem]:
        """Return the first `count` problems of the validation split, or all, checked as those that are asked."""
        assert self.validation is not None
        return self._checked(self.validation(count, data_dir=data_dir), data_dir)

    def _checked(self, found: list[Problem], data_dir: Path) -> list[Problem]:
        if not found:
            raise ValueError(f"the benchmark {self.name} has no problem in {data_dir}; get its files again")
        name, times = Counter(problem.id for problem in found).most_common(1)[0]
        if times > 1:
            raise ValueError(
                f"the benchmark {self.name} has {times} problems with the id {name!r} in {data_dir}; ids form the "
                "pairs of two evaluations, so give each problem its own"
            )
        if longest := next((problem.id for problem in found if len(problem.id) > LONGEST_ID), None):
            raise ValueError(
                f"the benchmark {self.name} has the id {longest[:40]!r}… in {data_dir}; an id has at most {LONGEST_ID} "
                "characters"
            )
        return found
