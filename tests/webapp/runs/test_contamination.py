"""Problems of benchmarks in what was learnt: from the journal to plan, finding, report and provenance."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests import factories
from training.data import first_examples, identity
from training.process.journal import Journal
from training.recipes import recipe as recipes, sampled_contamination
from training.settings.shared import BenchmarkSettings
from webapp.diagnosis import readings
from webapp.experiments.models import Experiment
from webapp.launch import contamination as plans
from webapp.reports.report import build, report
from webapp.runs import contamination
from webapp.runs.models import State
from webapp.runs.origin import origin
from workers.cli.main import main
from workers.ingest import Ingest

pytestmark = pytest.mark.django_db


def row(**changes: Any) -> dict[str, Any]:
    return {
        "path": "data",
        "source": "gsm8k",
        "sha256": "ab",
        "benchmark": "svamp",
        "problems": 1000,
        "texts": 7473,
        "looked_at": 7473,
        "exact": 0,
        "overlapping": 2,
        "taught": 0,
        "found": [
            {"problem": "svamp-159", "exact": False, "text": "User: A train\nAssistant:"},
            {"problem": "svamp-685", "exact": False, "text": "Two trains"},
        ],
        **changes,
    }


CLEAN = row(benchmark="gsm8k", overlapping=0, found=[])


def recorded(tmp_path, *rows: dict[str, Any]):
    experiment = factories.make_experiment(stages=(("sft", "sft"), ("grpo", "grpo")))
    run = factories.run_of(experiment, "baseline", "sft")
    attempt = factories.make_attempt(run, state=State.SUCCEEDED, run_dir=str(tmp_path))
    journal = Journal(tmp_path / "journal")
    journal.append("contamination", sources=[row(texts=1)])
    journal.append("contamination", sources=list(rows))  # a later one has all of it
    journal.close()
    Ingest(attempt.pk).drain()
    return run


def test_the_journal_tells_it_and_report_and_provenance_show_it(tmp_path) -> None:
    run = recorded(tmp_path, row(), CLEAN)
    experiment = run.experiment
    assert [check.text for check in contamination.of_experiment(experiment)] == [
        "0 of 1,000 problems of svamp word for word, 2 by 13 words in a row, in 7,473 texts",
        "0 of 1,000 problems of gsm8k word for word, 0 by 13 words in a row, in 7,473 texts",
    ]
    assert "gsm8k in sft: 0 of 1,000 problems of svamp" in origin(experiment)["Contamination"]
    text = report(experiment)
    assert "## Contamination" in text and "Brown et al. 2020" in text
    assert "svamp svamp-159, by 13 words, in gsm8k of sft: “User: A train Assistant:”" in text
    assert len([one for one in build(experiment).sections if one.title == "Contamination"]) == 1


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([CLEAN], []),
        ([row()], [("info", "sft learns from texts that share 13 words in a row with problems of svamp")]),
        (
            [row(exact=1, overlapping=0, found=[{"problem": "svamp-3", "exact": True, "text": "a"}])],
            [("warning", "sft learns from problems of svamp")],
        ),
        ([row(benchmark="one_step_splits")], []),  # generated texts share their words by design
    ],
)
def test_a_finding_names_the_problems_and_the_source(tmp_path, rows, found) -> None:
    run = recorded(tmp_path, *rows)
    findings = [one for one in readings.of_run(run).findings if one.kind == "contamination"]
    assert [(one.severity.word, one.headline) for one in findings] == found
    for one in findings:
        assert all(named["problem"] in one.evidence for named in rows[0]["found"])
        assert one.evidence.startswith("gsm8k: ")


def test_what_ended_early_says_how_far_it_came(tmp_path) -> None:
    experiment = recorded(tmp_path, row(texts=9_100_000, looked_at=61_000), CLEAN).experiment
    said = origin(experiment)["Contamination"]
    assert "in 61,000 of 9,100,000 texts, then the time was used up" in said
    assert said.endswith("1 of 2 checks ended before the last text")


def test_seeds_and_conditions_are_taken_together(tmp_path) -> None:
    more = row(
        texts=8000, looked_at=8000, found=[{"problem": "svamp-1", "exact": True, "text": "x"}], exact=1
    )
    (check,) = contamination.merged([("sft", (), row()), ("sft", (), more)])
    assert (check.exact, check.overlapping, check.texts, len(check.found)) == (1, 2, 8000, 3)


def learning(experiment: Experiment, data: Mapping[str, list[dict[str, Any]]]) -> None:
    """Each condition's data of the stage sft."""
    for condition, sources in data.items():
        run = factories.run_of(experiment, condition, "sft")
        run.spec["settings"] = {"kind": "sft", "data": sources}
        run.save()


GSM8K = {"source": "gsm8k", "weight": 1}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ([GSM8K | {"weight": 3}], " All conditions learn from these texts."),
        ([{"source": "tulu"}], " Only baseline learns from these texts; mul_tokens does not."),
        ([GSM8K | {"shortest": 9}], " Only baseline learns from these texts; mul_tokens does not."),
    ],
)
def test_a_finding_says_which_conditions_learn_from_the_source(tmp_path, other, said) -> None:
    run = recorded(tmp_path, row())
    learning(run.experiment, {"baseline": [GSM8K], "mul_tokens": other})
    (found,) = [one for one in readings.of_run(run).findings if one.kind == "contamination"]
    assert found.not_shown.endswith(f"problems that were reworded.{said}")


def test_report_and_provenance_name_the_conditions_where_they_learn_otherwise(tmp_path) -> None:
    experiment = recorded(tmp_path, row()).experiment
    other = factories.make_attempt(factories.run_of(experiment, "mul_tokens", "sft"), state=State.SUCCEEDED)
    other.contamination = [row(source="tulu", overlapping=0, found=[])]
    other.save()
    learning(experiment, {"baseline": [GSM8K], "mul_tokens": [{"source": "tulu"}]})
    assert [one.conditions for one in contamination.of_experiment(experiment)] == [
        ("baseline",),
        ("mul_tokens",),
    ]
    assert "gsm8k in sft of baseline: 0 of 1,000" in origin(experiment)["Contamination"]
    (section,) = [one for one in build(experiment).sections if one.title == "Contamination"]
    ((_, view),) = section.tables
    assert [column.title for column in view.columns][:3] == ["Stage", "Conditions", "Source"]
    assert "in gsm8k of sft (baseline)" in report(experiment)
    learning(experiment, {"baseline": [GSM8K], "mul_tokens": [GSM8K]})
    other.contamination = [row()]
    other.save()
    (check,) = contamination.of_experiment(experiment)
    assert (
        check.conditions == ()
        and "Conditions" not in report(experiment).partition("## Contamination")[2][:900]
    )


def test_a_plan_tells_what_earlier_runs_found_in_the_same_sources(tmp_path, data_dir) -> None:
    recipe = recipes.build(recipes.read("gsm8k_tiny"))
    specs = recipes.resolve(recipe)
    assert {one.benchmark for one in specs[0].checked} >= {"gsm8k"}
    before = plans.sentences(specs, database=True)
    assert before == [
        "1 of 1 pairs of a source and a benchmark: nothing was found in the first 100 examples of the source, which this plan "
        "looked at.",
        "Each stage looks at every text that it draws while it prepares its data, for 60 s at most, and says what it found.",
    ]
    source = next(
        source
        for spec in specs
        for mixture in spec.settings.mixtures().values()
        for source in mixture
        if source.source == "gsm8k"
    )
    content = identity.of_source("", source, data_dir, count_rows=False)["sha256"]
    recorded(tmp_path, row(sha256=content, benchmark="gsm8k"))
    after = plans.sentences(specs, database=True)
    assert "problems of gsm8k word for word, 2 by 13 words in a row, in 7,473 texts" in after[0]
    assert len(after) == 1, "what a run found of all texts goes before what a plan finds in the first"
    assert plans.sentences(specs, database=False) == before


@pytest.fixture
def planted(tmp_path, settings):
    """GSM8K of five problems, one of which trains as the benchmark asks it, and one with other numbers."""
    text = "{} has {} boxes with {} red {} in each of them. How many {} does {} have?"
    things = {"Anna": "apples", "Bo": "balls", "Cid": "cherries", "Dee": "dice", "Eve": "eggs"}
    asked = [text.format(name, 12, 7, thing, thing, name) for name, thing in things.items()]
    learnt = [asked[0], asked[1].replace("12", "31"), "How old is Anna?", "Who is Bo?", "Where is Cid?"]
    (tmp_path / "gsm8k").mkdir()
    for split, questions in (("train", learnt), ("test", asked)):
        rows = [json.dumps({"question": one, "answer": "12*7=84\n#### 84"}) for one in questions]
        (tmp_path / "gsm8k" / f"{split}.jsonl").write_text("\n".join(rows))
    settings.MULBERRY_DATA = tmp_path
    return tmp_path


PLANTED = (
    "gsm8k: 1 of 5 problems of gsm8k word for word, 1 by 13 words in a row, in the first 5 examples, which this plan looked at: "
    "test-0000, test-0001."
)


def test_the_first_plan_names_a_problem_in_the_data(planted, client, capsys) -> None:
    client.force_login(factories.make_user("ada"))
    assert main(["launch", "gsm8k_tiny", "--dry-run"]) == 0
    assert PLANTED in capsys.readouterr().out
    assert PLANTED in client.get("/experiments/new/gsm8k_tiny/").content.decode()
    assert PLANTED in client.post("/experiments/new/gsm8k_tiny/panel/", {}).content.decode()
    file = planted / "gsm8k" / "train.jsonl"
    file.write_text(file.read_text().partition("\n")[2])  # a changed file is looked at again
    assert main(["launch", "gsm8k_tiny", "--dry-run"]) == 0
    assert "gsm8k: 0 of 5 problems of gsm8k word for word, 1 by 13 words in a row" in capsys.readouterr().out


def test_a_plan_says_what_it_could_not_look_at(planted, monkeypatch) -> None:
    def said() -> str:
        return plans.sentences(recipes.resolve(recipes.build(recipes.read("gsm8k_tiny"))), database=True)[-2]

    left = "1 of 1 pairs of a source and a benchmark were not looked at yet: "
    files = f"{left}the files of gsm8k are large, on the hub or cannot be read."
    monkeypatch.setattr(first_examples, "LARGEST", 0)
    assert said() == files
    monkeypatch.undo()
    monkeypatch.setattr(sampled_contamination, "MOST_PROBLEMS", 4)
    assert said() == f"{left}the benchmark gsm8k is large or cannot be read."
    monkeypatch.undo()
    (planted / "gsm8k" / "test.jsonl").unlink()
    assert said() == f"{left}the benchmark gsm8k is large or cannot be read."
    (planted / "gsm8k" / "train.jsonl").write_text("{")
    assert said() == files
    (planted / "gsm8k" / "train.jsonl").unlink()
    specs = recipes.resolve(recipes.build(recipes.read("gsm8k_tiny")))
    assert plans.sentences(specs, database=True) == []


def test_a_plan_looks_at_what_each_condition_learns(tmp_path, data_dir) -> None:
    """Only the maths conditions read `statements`; the first condition's data alone were planned for."""
    recipe = recipes.build(recipes.read("hypothesis_b_math_pretraining"), [("scale", "tiny")])
    specs = recipes.resolve(recipe)
    (source,) = [
        source
        for spec in specs
        if (spec.condition, spec.stage) == ("maths", "pretrain")
        for source in spec.settings.mixtures()["data"]
        if source.source == "statements"
    ]
    content = identity.of_source("", source, data_dir, count_rows=False)["sha256"]
    recorded(tmp_path, row(source="statements", sha256=content, benchmark="one_step_multiplication"))
    assert plans.sentences(specs, database=True)[0].startswith("statements: 0 of 1,000 problems of ")


def test_every_stage_is_checked_for_what_any_stage_asks() -> None:
    few, many = (BenchmarkSettings(benchmark="gsm8k", problems=n) for n in (10, None))
    from training.recipes.specs import with_most_problems

    assert with_most_problems([[few], [], [many, few]]) == [many]
