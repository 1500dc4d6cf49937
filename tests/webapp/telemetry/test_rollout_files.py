"""Rollouts and outcomes to download from a real server: what counts, what fits the filter, equal to the database."""

import csv
import io
import json

import httpx
import openpyxl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import connection

from tests.factories import (
    add_evaluation,
    add_rollouts,
    add_samples,
    make_attempt,
    make_experiment,
    run_of,
)
from tests.served import served, session
from webapp.files import long_tables
from webapp.results import outcome_files
from webapp.results.models import Outcome
from webapp.runs.models import State
from webapp.telemetry import rollout_files, search
from webapp.telemetry.models import Rollout

FORMULA = '=HYPERLINK("x") & <script> %_\r\n"'
LARGE = 50_000  # rollouts; about 12 MB of memory come with a chunk, whatever their number


def read(format, content):
    """Each row as a dict, read by what is not ours."""
    if format == "csv":
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    if format == "jsonl":
        return [json.loads(line) for line in content.decode().split("\n")[:-1]]
    if format == "xlsx":
        header, *rows = openpyxl.load_workbook(io.BytesIO(content))["Rows"].iter_rows(values_only=True)
        return [dict(zip(header, row, strict=True)) for row in rows]
    return pq.read_table(pa.BufferReader(content)).to_pylist()


def two_attempts():
    """A run of which the second attempt replaced steps 4 and 5 of the first."""
    run = run_of(make_experiment(code_version="abc"), "mul_tokens", "grpo")
    first = make_attempt(run, state=State.FAILED)
    for step in range(1, 6):
        add_rollouts(first, step=step, count=8)
    second = make_attempt(run, first_step=3)
    for step in range(4, 7):
        add_rollouts(second, step=step, count=8)
    one = Rollout.objects.order_by("pk").first()
    one.completion, one.final_answer, one.reward = FORMULA, None, 0.1 + 0.2
    one.save()
    return run


@pytest.mark.django_db
def test_what_counts_is_read_once_and_in_order_whatever_the_chunk(monkeypatch):
    run = two_attempts()
    wanted = [(1, step) for step in (1, 2, 3) for _ in range(8)] + [
        (2, step) for step in (4, 5, 6) for _ in range(8)
    ]
    for size in (1, 5, 8, 1_000):
        monkeypatch.setattr(rollout_files, "CHUNK", size)
        made = rollout_files.rows(run.experiment, [run])
        found = [dict(zip(made.columns, row, strict=True)) for chunk in made.chunks for row in chunk]
        assert [(row["attempt"], row["step"]) for row in found] == wanted
        assert len({(row["attempt"], row["seq"], row["index"]) for row in found}) == 48


@pytest.mark.django_db
def test_outcomes_of_an_experiment_are_those_of_its_table(monkeypatch):
    experiment = make_experiment(stages=(("drills", "sft"), ("grpo", "grpo")))
    again = run_of(experiment, "baseline", "drills")
    add_evaluation(make_attempt(again, state=State.FAILED), [True] * 3)
    counts = [add_evaluation(make_attempt(again, state=State.SUCCEEDED), [False, True])]
    counts.append(add_evaluation(make_attempt(run_of(experiment, "mul_tokens", "grpo")), [True]))
    add_samples(counts[0], [[True, False], [False, False]])
    Outcome.objects.filter(evaluation=counts[0], problem="p0001").update(labels=["known_pair"])
    for size in (1, 2, 1_000):
        monkeypatch.setattr(outcome_files, "CHUNK", size)
        made = outcome_files.rows(experiment, outcome_files.counted_evaluations(experiment))
        found = [dict(zip(made.columns, row, strict=True)) for chunk in made.chunks for row in chunk]
        keys = [(row["evaluation"], row["sample"], row["problem"]) for row in found]
        first, second = (one.pk for one in counts)
        samples = [(first, sample, f"p000{problem}") for sample in (0, 1, 2) for problem in (0, 1)]
        assert keys == [*samples, (second, 0, "p0000")]
        assert found[1]["labels"] == ["known_pair"] and found[0]["labels"] is None


@pytest.fixture(scope="module")
def server(django_db_setup):
    with served() as (process, where):
        yield process, where


@pytest.fixture
def address(server, transactional_db):
    return server


@pytest.mark.timeout(240)
def test_downloads_equal_the_database(address):
    _, where = address
    run = two_attempts()
    evaluation = add_evaluation(run.attempts.last(), [True, False, True])
    add_samples(evaluation, [[True], [False], [True]])
    Outcome.objects.filter(evaluation=evaluation, problem="p0001").update(completion=FORMULA)
    while search.index_texts():
        pass
    with httpx.Client(base_url=where, cookies=session(), timeout=120) as client:
        counted = Rollout.objects.exclude(attempt__number=1, step__gt=3)
        for format in long_tables.FORMATS:
            answer = client.get(f"/runs/{run.pk}/rollouts.{format}")
            assert answer.headers["Content-Type"] == long_tables.FORMATS[format].content_type
            found = read(format, answer.content)
            assert len(found) == 48
            for row, mine in zip(found, counted.order_by("attempt", "seq", "index"), strict=True):
                before = "'" if format == "csv" and mine.completion == FORMULA else ""
                wanted = mine.completion.replace("\r\n", "\n") if format == "xlsx" else mine.completion
                assert row["completion"] == before + wanted
                assert float(row["reward"]) == mine.reward and float(row["advantage"]) == mine.advantage
                told = row["components"]
                components = json.loads(told) if format in ("csv", "xlsx") else dict(told)
                assert components == mine.components
                assert str(row["correct"]) == str(mine.correct) and int(row["tokens"]) == mine.tokens
                assert (row["final_answer"] or None) == mine.final_answer
                assert (row["condition"], row["code_version"]) == ("mul_tokens", "abc")
            assert b"abc" in answer.content or format == "xlsx"  # which is compressed

            narrowed = read(
                format, client.get(f"/runs/{run.pk}/rollouts.{format}?answer=wrong&to_step=5").content
            )
            assert len(narrowed) == counted.filter(correct=False, step__lte=5).count() > 0
            (only,) = read(format, client.get(f"/runs/{run.pk}/rollouts.{format}?words=hyperlink").content)
            assert only["step"] in (1, "1")

            found = read(format, client.get(f"/evaluations/{evaluation.pk}/outcomes.{format}").content)
            assert [(row["problem"], int(row["sample"])) for row in found] == [
                (f"p000{i}", sample) for sample in (0, 1) for i in range(3)
            ]
            formula = FORMULA.replace("\r\n", "\n") if format == "xlsx" else FORMULA
            assert found[1]["completion"].removeprefix("'" * (format == "csv")) == formula
            same = client.get(f"/experiments/{run.experiment.name}/outcomes.{format}").content
            assert read(format, same) == found
            wrong = read(
                format, client.get(f"/evaluations/{evaluation.pk}/outcomes.{format}?only=wrong").content
            )
            assert [row["problem"] for row in wrong] == ["p0001"]

        assert client.get(f"/runs/{run.pk}/rollouts.xls").status_code == 404
        refused = client.get(f"/runs/{run.pk}/rollouts.csv?from_step=5&to_step=2")
        assert refused.status_code == 400 and "to_step: ends before it begins" in refused.text
        assert client.get(f"/evaluations/{evaluation.pk}/outcomes.csv?only=odd").status_code == 400
        page = client.get(f"/runs/{run.pk}/rollouts/?answer=wrong").text
        assert f'href="/runs/{run.pk}/rollouts.parquet?answer=wrong"' in page
        page = client.get(f"/evaluations/{evaluation.pk}/?only=wrong").text
        assert f'href="/evaluations/{evaluation.pk}/outcomes.jsonl?only=wrong"' in page
    assert httpx.get(f"{where}/runs/{run.pk}/rollouts.csv").status_code == 302  # to sign in


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_servers_memory_stays_flat_while_many_rollouts_are_downloaded(transactional_db, monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")  # else each thread that serves keeps memory of its own
    attempt = make_attempt(run_of(make_experiment(), "mul_tokens", "grpo"))
    add_rollouts(attempt, count=1)
    copy_the_rollout(LARGE)
    attempt.journal_seq = LARGE
    attempt.save()
    with served() as (process, where), httpx.Client(base_url=where, cookies=session(), timeout=240) as client:
        server = psutil.Process(process.pid)
        for format in set(long_tables.FORMATS) - {"xlsx"}:  # made on the disk, and slowly
            url = f"/runs/{attempt.stage_run_id}/rollouts.{format}"
            with client.stream("GET", f"{url}?to_step={2 * long_tables.CHUNK}") as answer:
                assert sum(len(part) for part in answer.iter_bytes())  # what a chunk takes is taken now
            before, most, size, lines = server.memory_info().rss, 0, 0, 0
            with client.stream("GET", url) as answer:
                for part in answer.iter_bytes():
                    size, lines = size + len(part), lines + part.count(b"\n")
                    most = max(most, server.memory_info().rss)
            if format in ("csv", "jsonl"):  # the others shrink texts that repeat
                assert lines >= LARGE and size > 1_000 * LARGE
            grown, held = most - before, 1_000 * (LARGE - 2 * long_tables.CHUNK)  # bytes of text
            assert grown < held / 2, f"{format}: {grown >> 20} MB for {held >> 20} MB"


def copy_the_rollout(count):
    """Until there are so many, a step apart; each with about a kilobyte of text."""
    names = [
        f'"{field.column}"' for field in Rollout._meta.concrete_fields if field.name not in ("id", "step")
    ]
    values = {'"seq"': "number", '"completion"': "repeat('word ', 200)"}
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO telemetry_rollout (step, {', '.join(names)})"
            f" SELECT number, {', '.join(values.get(name, name) for name in names)}"
            " FROM telemetry_rollout, generate_series(2, %s) AS number",
            [count],
        )
