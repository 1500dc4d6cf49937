"""Whether what a stage learns holds problems that it is asked: word for word, or in 13 words in a row with numbers masked (no torch).

13-grams are those of Brown et al. 2020 (arXiv 2005.14165, appendix C), who look for them between training texts and
benchmarks: lower case, without punctuation. Numbers are masked here, so that one problem with other numbers is found too.
"""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.benchmarks import BENCHMARKS, Problem
from training.data.example import Example, question_in
from training.data.identity import DataIdentity
from training.process.journal import CONTAMINATION_SECONDS, ContaminationRow, FoundProblem
from training.settings.shared import BenchmarkSettings

WORDS = 13
LISTED = 50  # problems that are named, of a source and a benchmark
SHOWN = 120  # characters of the training text that one of them was found in

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")


class SoughtProblems:
    """What is looked for; made once for all sources of a stage."""

    def __init__(self, problems: Mapping[str, Sequence[Problem]]) -> None:
        self.problems = problems
        self.grams: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        self.whole: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        for name, asked in problems.items():
            for place, problem in enumerate(asked):
                text = problem_text(problem)
                self.whole[_normal(text)].add((name, place))
                for gram in masked_grams(text):
                    self.grams[gram].add((name, place))

    def found_in(self, example: Example) -> dict[tuple[str, int], bool]:
        """(benchmark, place of the problem) → whether it stands there word for word, of all that a text holds."""
        parts = [part for turn in example.turns for part in (question_in(turn.prompt), turn.completion)]
        found: dict[tuple[str, int], bool] = {}
        for part in parts:
            shared = {one for gram in masked_grams(part) for one in self.grams.get(gram, ())}
            found |= {one: found.get(one, False) for one in shared}
            normal = _normal(part) if shared else ""
            for one in shared:
                found[one] |= _normal(problem_text(self.problems[one[0]][one[1]])) in normal
            for line in {part, *part.split("\n")}:  # problems of few words, too, where they stand alone
                for one in self.whole.get(_normal(line), ()):
                    found[one] = True
        return found


@dataclass
class _Looked:
    """A source so far."""

    texts: int = 0
    looked_at: int = 0
    found: dict[tuple[str, int], tuple[bool, str]] = field(default_factory=dict)


class Contamination:
    """Looks at the examples that a stage draws, one by one, until its time is used up."""

    def __init__(self, benchmarks: SoughtProblems, seconds: float = CONTAMINATION_SECONDS) -> None:
        self.benchmarks = benchmarks
        self.left = seconds
        self._looked: defaultdict[tuple[str, int], _Looked] = defaultdict(_Looked)

    def look(self, path: str, place: int, example: Example) -> None:
        """Look at an example of the source at `place` of the mixture at `path`."""
        looked = self._looked[path, place]
        looked.texts += 1
        if self.left <= 0 or not self.benchmarks.problems:
            return
        began = time.perf_counter()
        looked.looked_at += 1
        for one, exact in self.benchmarks.found_in(example).items():
            if one not in looked.found or (exact and not looked.found[one][0]):
                looked.found[one] = (exact, example.text[:SHOWN])
        self.left -= time.perf_counter() - began

    @classmethod
    def of(
        cls, asked: Iterable[BenchmarkSettings], data_dir: Path, log: Callable[[str, str], None]
    ) -> "Contamination":
        """For these benchmarks; one whose files are not here is left out, and that is told."""
        problems = {}
        for one in asked:
            try:
                problems[one.benchmark] = BENCHMARKS[one.benchmark].asked(one.problems, data_dir=data_dir)
            except ValueError as error:
                log(f"the data are not checked for problems of {one.benchmark}: {error}", "warning")
        return cls(SoughtProblems(problems))

    def drew(self, path: str, place: int, texts: int) -> None:
        """Tell how many texts the stage draws of a source whose texts come by another way."""
        self._looked[path, place].texts = texts

    @property
    def texts(self) -> int:
        """Texts that were drawn so far."""
        return sum(looked.texts for looked in self._looked.values())

    def rows(self, sources: Iterable[DataIdentity]) -> list[ContaminationRow]:
        """A row for each of the stage's sources that was drawn from, and benchmark."""
        rows, places = [], Counter[str]()
        for source in sources:
            looked = self._looked.get((source["path"], places[source["path"]]))
            places[source["path"]] += 1
            if looked is not None:
                rows += [self._row(source, looked, benchmark) for benchmark in self.benchmarks.problems]
        return rows

    def _row(self, source: DataIdentity, looked: _Looked, benchmark: str) -> ContaminationRow:
        asked = self.benchmarks.problems[benchmark]
        of_kind = BENCHMARKS[benchmark]
        meant = set(of_kind.taught)
        found: list[FoundProblem] = []
        taught = 0
        for (name, place), (exact, text) in sorted(looked.found.items()):
            if name != benchmark:
                continue
            if meant & set(asked[place].labels):
                taught += exact
            else:
                found.append({"problem": asked[place].id, "exact": exact, "text": text})
        return {
            "path": source["path"],
            "source": source["source"],
            "sha256": source["sha256"],
            "benchmark": benchmark,
            "problems": len(asked),
            "looked_at": looked.looked_at,
            "texts": looked.texts,
            "exact": sum(one["exact"] for one in found),
            "overlapping": sum(not one["exact"] for one in found),
            "taught": taught,
            "found": sorted(
                (one for one in found if one["exact"] or not of_kind.numbers_decide),
                key=lambda one: not one["exact"],
            )[:LISTED],
        }


def problem_text(problem: Problem) -> str:
    """What of a problem must not be learnt: its question; of choices, with the right one behind it."""
    right = problem.choices[int(problem.reference)] if problem.choices else ""
    return question_in(problem.prompt) + right


def masked_grams(text: str) -> set[str]:
    """Every 13 words in a row of a text, in lower case, numbers masked; none of a shorter one."""
    words = ["#" if word[0].isdigit() else word for word in _WORD.findall(text.lower())]
    return {" ".join(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)}


def _normal(text: str) -> str:
    return " ".join(text.lower().split())
