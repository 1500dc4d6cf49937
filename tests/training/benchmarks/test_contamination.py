"""Problems that a stage learns from: word for word, or in 13 words in a row whatever the numbers."""

from pathlib import Path

import pytest

from tests.training.conftest import DRILLS, Stage, Stages
from training.benchmarks import BENCHMARKS, Problem, contamination
from training.benchmarks.contamination import Contamination, SoughtProblems, masked_grams
from training.data import mixture
from training.data.example import Example, prompt_for
from training.data.sources.decompositions import DecompositionsSource
from training.data.sources.drills import DrillsSource
from training.data.sources.gsm8k import Gsm8kSource
from training.data.sources.statements import StatementsSource
from training.data.sources.word_problems import WordProblemsSource
from training.settings.shared import BenchmarkSettings
from training.settings.source import Source

LONG = "Anna has 12 boxes with 7 red apples in each of them. How many apples does Anna have?"
OTHER = LONG.replace("12", "1,200").replace("7", "3.5").upper()
IDENTITY = {
    "path": "data",
    "source": "s",
    "version": 1,
    "name": "",
    "revision": None,
    "sha256": "0",
    "rows": 1,
}


def looked_at(*examples: Example, problems: list[Problem], seconds: float = 60) -> dict:
    looked = Contamination(SoughtProblems({"gsm8k": problems}), seconds)
    for example in examples:
        looked.look("data", 0, example)
    (row,) = looked.rows([IDENTITY])
    return row


def test_other_numbers_case_and_marks_are_the_same_thirteen_words() -> None:
    assert masked_grams(LONG) == masked_grams(OTHER)
    assert len(masked_grams(LONG)) == 18 - 13 + 1
    assert not masked_grams("What is 6 × 9?")


@pytest.mark.parametrize(
    ("example", "exact", "overlapping"),
    [
        (Example(prompt_for(LONG), " 84"), 1, 0),
        (Example("", f"Some page.\n\n{LONG} That is 84."), 1, 0),
        (Example(prompt_for(OTHER), " 4200"), 0, 1),
        (Example(prompt_for("How many apples has Anna?"), " 84"), 0, 0),
        (Example("", "Say: What is 6 × 9?"), 0, 0),
        (Example("", "Say:\nwhat is  6 × 9?\n54"), 1, 0),  # a short problem counts where it stands alone
    ],
)
def test_a_problem_is_found_in_prompts_and_running_text(
    example: Example, exact: int, overlapping: int
) -> None:
    problems = [Problem("a", prompt_for(LONG), "84"), Problem("b", prompt_for("What is 6 × 9?"), "54")]
    row = looked_at(Example("", "Nothing of the kind."), example, problems=problems)
    assert (row["exact"], row["overlapping"], row["texts"], row["looked_at"]) == (exact, overlapping, 2, 2)
    assert [one["exact"] for one in row["found"]] == [True] * exact + [False] * overlapping


def test_looking_ends_when_its_time_is_used_up_and_says_how_far_it_came() -> None:
    example = Example(prompt_for(LONG), " 84")
    row = looked_at(*[example] * 5, problems=[Problem("a", prompt_for(LONG), "84")], seconds=1e-9)
    assert (row["texts"], row["looked_at"], row["exact"]) == (5, 1, 1)


def test_gsm8ks_training_answers_share_thirteen_words_with_seven_test_problems(
    whole_data: Path,
) -> None:
    asked = {name: BENCHMARKS[name].asked(None, data_dir=whole_data) for name in ("gsm8k", "svamp")}
    looked = Contamination(SoughtProblems(asked))
    source = Gsm8kSource(source="gsm8k")
    drawn = mixture.stream(
        [source], seed=0, data_dir=whole_data, watch=lambda i, e: looked.look("data", i, e)
    )
    for _ in range(7473):
        next(drawn)
    gsm8k, svamp = looked.rows([IDENTITY])
    assert (gsm8k["problems"], gsm8k["looked_at"]) == (1319, 7473)
    assert (gsm8k["exact"], gsm8k["overlapping"], svamp["exact"]) == (0, 7, 0)
    assert [one["problem"] for one in gsm8k["found"]][:3] == ["test-0106", "test-0581", "test-0602"]


def test_generated_texts_hold_no_one_step_problem_word_for_word(data_dir: Path) -> None:
    names = ("one_step_multiplication", "one_step_splits")
    asked = {name: BENCHMARKS[name].asked(None, data_dir=data_dir) for name in names}
    looked = Contamination(SoughtProblems(asked))
    sources: list[Source] = [
        DrillsSource(source="drills"),
        StatementsSource(source="statements"),
        DecompositionsSource(source="decompositions"),
        WordProblemsSource(source="word_problems", phrasing="mixed"),
    ]
    drawn = mixture.stream(
        sources, seed=0, data_dir=data_dir, watch=lambda place, one: looked.look("data", place, one)
    )
    for _ in range(6000):
        next(drawn)
    rows = looked.rows([IDENTITY] * len(sources))
    assert sum(row["looked_at"] for row in rows) == 6000 * len(names)
    assert {row["exact"] for row in rows} == {0}
    assert any(row["overlapping"] for row in rows), "their sentences are the same, by design"
    assert not any(row["found"] for row in rows)


@pytest.mark.slow
def test_a_stage_records_what_it_drew_and_what_was_found(finished: dict[str, Stage], stages: Stages) -> None:
    for name in ("pretrain", "sft", "curriculum", "grpo"):
        rows = finished[name].journal.records("contamination")[-1]["sources"]
        assert {row["benchmark"] for row in rows} == {"one_step_multiplication", "arithmetic_probes"}
        assert all(row["looked_at"] == row["texts"] > 0 for row in rows), name
        assert not any(row["exact"] for row in rows), "one_step_* is never generated"
    paths = {row["path"] for row in finished["curriculum"].journal.records("contamination")[-1]["sources"]}
    assert paths == {"steps.drills.data", "steps.problems.data"}
    drills = [
        row
        for row in finished["sft"].journal.records("contamination")[-1]["sources"]
        if (row["source"], row["benchmark"]) == ("drills", "arithmetic_probes")
    ]
    assert drills[0]["taught"] <= drills[0]["problems"] == 7


@pytest.mark.slow
def test_shards_of_another_run_are_looked_at_as_well(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name, seconds in (("first", 60.0), ("second", 60.0), ("third", -1.0)):
        monkeypatch.setattr(contamination.Contamination.__init__, "__defaults__", (seconds,))
        made = stages.make(name, "pretrain", changes=[("stages.pretrain.data", [DRILLS, DRILLS])])
        assert made.run() == 0
        found.append(made.journal.records("contamination")[-1]["sources"])
    assert found[0] == found[1]
    assert all(row["looked_at"] == row["texts"] for row in found[0])
    assert [row["texts"] for row in found[2]] == [row["texts"] for row in found[0]]
    assert all(row["looked_at"] <= 1 for row in found[2])


def test_a_benchmark_whose_files_are_not_here_is_told_of_and_left_out(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    asked = [BenchmarkSettings(benchmark="gsm8k"), BenchmarkSettings(benchmark="arithmetic_probes")]
    looked = Contamination.of(asked, tmp_path, lambda text, level: told.append((text, level)))
    assert list(looked.benchmarks.problems) == ["arithmetic_probes"]
    ((text, level),) = told
    assert level == "warning" and "gsm8k" in text
