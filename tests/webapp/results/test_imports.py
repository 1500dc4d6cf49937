"""Published numbers stand in the dashboard to the digit, marked imported, compared unpaired, and claim nothing."""

import csv
import html
import io
import json
import re

import openpyxl
import pytest
import yaml
from django.test import Client
from scipy.stats import fisher_exact
from statsmodels.stats.proportion import confint_proportions_2indep

from tests.factories import make_experiment, make_user
from tests.published_files import minimal, write
from webapp.comparison.cells import Refusal, UnpairedComparison
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.table import stage_table
from webapp.comparison.tables import stage_tables
from webapp.experiments.models import Experiment
from webapp.files import text_formats
from webapp.files.number_text import points
from webapp.reports.report import report
from webapp.results import published
from webapp.results.imports import import_history
from webapp.runs.models import Event, StageRun

pytestmark = pytest.mark.django_db
GSM8K = {  # stage → (right, problems) of baseline and of mul_tokens, and the Δ that the report prints
    "gsm8k_sft": ((33, 1319), (27, 1319), "−0.45"),
    "curriculum_sft": ((12, 500), (19, 500), "+1.40"),
    "grpo_1x_binary": ((11, 500), (6, 500), "−1.00"),
    "grpo_20x_shaped": ((11, 500), (20, 500), "+1.80"),
}


@pytest.fixture
def experiment():
    return import_history(publication=published.read("phase_1_to_6"), owner=make_user()).experiment


@pytest.fixture
def signed_in():
    client = Client()
    client.force_login(make_user())
    return client


def text_of(response):
    """What a reader sees: no tags, single spaces."""
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_accuracy_by_stage_to_the_digit_with_the_unpaired_test(experiment):
    table = stage_table(experiment)
    assert [row.stage for row in table.rows] == list(GSM8K)
    for row in table.rows:
        first, second, delta = GSM8K[row.stage]
        (seed,) = row.seeds
        assert [(cell.count, cell.result.problems) for cell in seed.cells] == [first, second]
        (one,) = seed.comparisons
        assert isinstance(one, UnpairedComparison)
        assert points(one.delta, 2) == delta
        counts = [[first[0], first[1] - first[0]], [second[0], second[1] - second[0]]]
        assert one.p == pytest.approx(fisher_exact(counts).pvalue)
        assert one.interval == pytest.approx(
            confint_proportions_2indep(*second, *first, method="newcomb"), abs=1e-9
        )
        assert one.verdict.word == "not distinguishable"
    assert round(one.p, 2) == 0.14
    assert one.adjusted_p == one.p
    assert one.family.role == "exploratory"  # nothing was planned here


def test_the_reports_three_tables_stand_in_the_report(experiment):
    text = report(experiment)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    first, _, others = text.partition("## Other benchmarks\n")
    results = lines[: len(first.splitlines())]
    rows = {line[0].split(":")[0]: line for line in results if len(line) > 5}
    for stage, baseline, mul_tokens, delta in (
        ("gsm8k_sft", "2.50 % (33/1,319)", "2.05 % (27/1,319)", "-0.45"),
        ("curriculum_sft", "2.40 % (12/500)", "3.80 % (19/500)", "+1.40"),
        ("grpo_20x_shaped", "2.20 % (11/500)", "4.00 % (20/500)", "+1.80"),
    ):
        assert rows[stage][1:4] == [baseline, mul_tokens, delta]
    caption = "Accuracy on arithmetic_probes_addition (imported, counts only), exploratory, not corrected"
    assert caption in others and "1.00 % (1/100) | 0.00 % (0/100) | -1.00 |" in others
    detail = text[text.index("### After grpo_20x_shaped") :]
    for line in (
        "| Accuracy | 2.2 % (11/500) | 4.0 % (20/500) |",
        "| Mul-tokens per completion | 0.00 | 1.24 |",
        "| Repetition rate | 84.2 % | 83.5 % |",
        "| Hit token limit | 19.3 % | 17.5 % |",
    ):
        assert line in detail
    for row in (
        ["Accuracy (rolling)", "~1-2%", "~0-2%", "Flat/declining"],
        ["Reward mean", "~-0.1", "~-0.06", "Slight improvement"],
        ["Repetition rate", "~85%", "~84%", "Essentially flat"],
        ["Mul-tokens/resp (mul\\_tokens)", "~1.2", "~1.35", "Slight increase"],
    ):
        assert row in lines or [row[0].replace("\\", ""), *row[1:]] in lines
    assert "Post-Tulu SFT" in text and "Tulu SFT + GSM8K SFT" in text


def test_the_headline_is_not_distinguishable_and_no_benefit(experiment):
    headline = verdict_sentences(stage_table(experiment))[0].headline.replace("\u00a0", " ")
    assert headline == (
        "After grpo_20x_shaped, mul_tokens and baseline are not distinguishable at n = 500, unpaired."
    )
    limits = verdict_sentences(stage_table(experiment))[0].limits
    assert limits.startswith(
        "About 1,450 problems a condition would be needed to see this difference (80 % power). "
    )
    text = report(experiment)
    assert headline in text
    assert "imported, counts only" in text
    for claim in ("benefit", "Supported:", "Shown,", "McNemar"):
        assert claim not in text


@pytest.mark.parametrize(
    "file", ["report.md", "report.html", "table.md", "table.json", "table.tex", "table.xlsx"]
)
def test_every_file_says_what_is_not_supported(experiment, client, file):
    client.force_login(experiment.owner)
    written = client.get(f"/experiments/{experiment.name}/{file}").content
    if file == "table.xlsx":
        book = openpyxl.load_workbook(io.BytesIO(written))
        text = "\n".join(str(cell.value) for sheet in book for line in sheet.iter_rows() for cell in line)
    else:
        text = (
            html.unescape(re.sub(r"<[^>]+>", " ", written.decode()))
            .replace("\u00a0", " ")
            .replace("\\_", "_")
        )
    assert "not distinguishable at n = 500, unpaired." in text
    if file != "table.tex":  # which says the headlines alone
        assert "About 1,450 problems a condition would be needed to see this difference" in text
    assert "consistent benefit" not in text.lower() and "benefit" not in text.lower()


def test_what_the_other_benchmarks_published(experiment):
    def counts(benchmark):
        (row,) = stage_table(experiment, benchmark=benchmark).rows
        return row.stage, [(cell.count, cell.result.problems) for cell in row.seeds[0].cells]

    assert counts("arithmetic_probes_table") == ("curriculum_sft", [(15, 81), (16, 81)])
    assert counts("arithmetic_probes_multi_digit") == ("curriculum_sft", [(2, 100), (0, 100)])
    assert counts("arithmetic_probes_addition") == ("curriculum_sft", [(1, 100), (0, 100)])
    (row,) = stage_table(experiment, benchmark="hellaswag").rows
    first, second = row.seeds[0].cells
    assert (first.rate, second.rate, first.count, first.interval) == (0.3034, 0.3077, None, None)
    (refusal,) = row.seeds[0].comparisons
    assert isinstance(refusal, Refusal)
    assert "only rates were published" in refusal.reason
    mul_tokens = {
        cell.stage: cell.result.mean("mul_tokens")
        for cell in stage_table(experiment).cells()
        if cell.condition == "mul_tokens"
    }
    assert mul_tokens == {
        "gsm8k_sft": 1123 / 1319,
        "curriculum_sft": 0.644,
        "grpo_1x_binary": 0.256,
        "grpo_20x_shaped": 1.24,
    }


def test_rates_without_counts_are_shown_and_not_tested(experiment):
    table = stage_table(experiment, metric="repetition_rate")
    found = [(cell.stage, cell.rate) for cell in table.cells() if cell.complete]
    assert found == [("grpo_20x_shaped", 0.842), ("grpo_20x_shaped", 0.835)]
    assert isinstance(table.rows[-1].seeds[0].comparisons[0], Refusal)


def test_exports_hold_the_counts_and_say_unpaired(experiment):
    table = stage_table(experiment)
    rows = list(csv.DictReader(io.StringIO(text_formats.csv(stage_tables.stages(table)))))
    assert {
        (row["stage"], row["condition"]): (int(row["correct"]), int(row["problems"])) for row in rows
    } == {
        (stage, condition): counts
        for stage, (first, second, _) in GSM8K.items()
        for condition, counts in (("baseline", first), ("mul_tokens", second))
    }
    last = rows[-1]
    assert (last["pairing"], last["imported"], last["mcnemar_p"], last["gained"]) == (
        "unpaired",
        "counts only",
        "",
        "",
    )
    assert float(last["fisher_p"]) == pytest.approx(fisher_exact([[11, 489], [20, 480]]).pvalue)
    assert float(last["repetition_rate"]) == 0.835
    text = text_formats.markdown(stage_tables.stages(table))
    assert "imported, counts only" in text and "Fisher p (unpaired)" in text and "McNemar" not in text
    assert "different numbers of problems (gsm8k_sft 1,319; curriculum_sft 500;" in text.replace(
        ", curriculum", "; curriculum"
    ).replace(", grpo", "; grpo")
    read = json.loads(text_formats.json(stage_tables.stages(table)))
    assert "unpaired" in read["provenance"]["Test"]
    assert read["warnings"]
    rates = list(
        csv.DictReader(
            io.StringIO(text_formats.csv(stage_tables.stages(stage_table(experiment, benchmark="hellaswag"))))
        )
    )
    assert [(row["rate"], row["correct"], row["problems"]) for row in rates] == [
        ("0.3034", "", ""),
        ("0.3077", "", ""),
    ]


def test_the_pages_mark_it_and_offer_nothing_that_only_runs_have(signed_in, experiment):
    name = experiment.name
    listed = text_of(signed_in.get("/experiments/"))
    assert "imported" in listed and "2025-12-28" in listed and "counts only" in listed
    page = signed_in.get(f"/experiments/{name}/")
    assert b"data-live" not in page.content
    seen = text_of(page)
    assert "imported (counts only)" in seen and "GRPO 20x Compute Analysis" in seen
    assert seen.count("none is corrected for their number") == 1
    for offered in ("Retry", "Cancel", "Runs done", "Launched"):
        assert offered not in seen
    for run in StageRun.objects.filter(experiment=experiment):
        response = signed_in.get(f"/runs/{run.pk}/")
        seen = text_of(response)
        assert "Imported, counts only" in seen
        assert b'<form method="post" action="/runs/' not in response.content
        for part in ("Charts", "rollouts", "Checkpoints", "Attempts"):
            assert part not in seen
    comparison = signed_in.get(f"/experiments/{name}/comparison/")
    seen = text_of(comparison)
    for part in (
        "imported, counts only",
        "1 per condition",
        "2.50 33/1,319",
        "4.00 20/500",
        "+1.80",
        "0.143",
        "unpaired",
        "Fisher p",
        "different numbers of problems",
        "Post-Tulu SFT",
    ):
        assert part in seen
    assert "connecting" not in seen
    for link in set(re.findall(r'href="(/evaluations/\d+/)"', comparison.content.decode())):
        assert "Imported, counts only" in text_of(signed_in.get(link))
    for query in ("benchmark=hellaswag", "metric=hit_limit_rate", "baseline=mul_tokens"):
        assert signed_in.get(f"/experiments/{name}/comparison/?{query}").status_code == 200
    assert "1.24" in text_of(signed_in.get(f"/experiments/{name}/report/"))


def test_a_new_run_on_the_same_pages_stays_paired(experiment):
    made = make_experiment("demo-1", stages=(("drills", "sft"),))
    assert not made.imported
    assert "exact McNemar" in stage_tables.provenance(stage_table(made))["Test"]


def test_importing_twice_changes_nothing(experiment):
    events = Event.objects.count()
    again = import_history(publication=published.read("phase_1_to_6"), owner=make_user("grace"))
    assert (again.new, again.experiment.pk) == (False, experiment.pk)
    assert Experiment.objects.count() == 1
    assert Event.objects.count() == events
    assert experiment.owner.username == "ada"


def test_other_contents_under_a_taken_name_are_refused(experiment, tmp_path):
    data = yaml.safe_load((published.HISTORY / "phase_1_to_6.yaml").read_text())
    data["stages"][2]["results"]["gsm8k"]["baseline"]["correct"] = 34
    other = published.read(write(tmp_path, data))
    with pytest.raises(ValueError, match="other contents"):
        import_history(publication=other, owner=make_user())
    make_experiment("mine")
    mine = published.read(write(tmp_path, data | {"name": "mine"}))
    with pytest.raises(ValueError, match="ran here"):
        import_history(publication=mine, owner=make_user())


def test_json_and_unlike_sizes_in_one_row(tmp_path):
    publication = published.read(write(tmp_path, minimal(), "small.json"))
    table = stage_table(import_history(publication=publication, owner=make_user()).experiment)
    (sentence,) = verdict_sentences(table)
    assert "n\u00a0=\u00a010\u00a0and\u00a012" in sentence.headline
    assert "not asked the same number of problems" in sentence.limits
    only_one = minimal() | {"name": "half"}
    del only_one["stages"][0]["results"]["gsm8k"]["b"]
    made = import_history(publication=published.read(write(tmp_path, only_one)), owner=make_user())
    assert stage_table(made.experiment).rows[0].seeds[0].comparisons == (None,)
    assert "3/10" in report(made.experiment)


def test_equal_counts_ask_for_no_number_of_problems(tmp_path):
    equal = minimal()
    equal["stages"][0]["results"]["gsm8k"]["b"] = {"correct": 3, "problems": 10}
    made = import_history(publication=published.read(write(tmp_path, equal)), owner=make_user())
    (sentence,) = verdict_sentences(stage_table(made.experiment))
    assert "would be needed" not in sentence.headline  # no difference, no number of problems for it
