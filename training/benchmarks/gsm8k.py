"""GSM8K's test problems, in the published order."""

from pathlib import Path

from training.benchmarks.benchmark import Benchmark, Problem
from training.benchmarks.final_number import GRADER, grade
from training.data.example import PROMPT_FORMAT, prompt_for
from training.data.sources.gsm8k import published
from training.text.answers import extract_answer


def problems(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` of the 1,319 problems; raises ValueError when the file is missing or broken."""
    found = []
    for place, row in enumerate(published("test", data_dir=data_dir)[:count]):
        answer = row.text("answer")
        reference = extract_answer(answer)
        if reference is None:
            raise row.error("answer", answer, "a text that ends with #### and a number")
        found.append(Problem(f"test-{place:04d}", prompt_for(row.text("question")), reference))
    return found


BENCHMARK = Benchmark(
    "gsm8k", GRADER, PROMPT_FORMAT, problems, grade, size=1_319, tokens=64, reads=("gsm8k/test.jsonl",)
)
