"""The format of published results that are imported as counts: one file, one experiment (docs/operations.md)."""

import datetime
import json
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from training.did_you_mean import nearest
from training.settings import yaml_text
from training.settings.base import Settings
from training.settings.errors import error_at, problem
from training.stages import STAGES

HISTORY = Path(__file__).parent / "history"
NAME = r"^[a-z][a-z0-9_]*$"
LARGEST = 2_147_483_647  # that a count's column holds


def _writable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character; take it out")
    return text


def _plain(value: Any) -> Any:
    """A value that a setting may have, as JSON in PostgreSQL holds it."""
    if isinstance(value, str):
        return _writable(value)
    if value is not None and not (isinstance(value, int | float) and abs(value) < inf):
        raise ValueError("must be a number, a word, true, false or null")
    return value


Value = Annotated[Any, AfterValidator(_plain)]
Text = Annotated[str, AfterValidator(_writable)]
Name = Annotated[str, Field(pattern=NAME, max_length=100)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Mean = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PublishedResult(Settings):
    """One condition after one stage on one benchmark: a count of problems, or a rate where only that was published."""

    correct: int | None = Field(None, ge=0, description="Problems answered right")
    problems: int | None = Field(None, ge=1, le=LARGEST, description="Problems asked")
    rate: Share | None = Field(None, description="Share answered right, where no count was published")
    mul_tokens: int | None = Field(None, ge=0, le=LARGEST, description="Mul-tokens in all completions")
    mul_tokens_per_response: Mean | None = Field(None, description="Mul-tokens per completion")
    repetition_rate: Share | None = Field(None, description="Share of completions that repeat themselves")
    hit_limit_rate: Share | None = Field(None, description="Share of completions cut at the token limit")
    tokens_per_response: Mean | None = Field(None, description="Tokens per completion")
    note: Text = Field("", description="What a reader must know about these numbers")

    @model_validator(mode="after")
    def _count_or_rate(self) -> Self:
        if (self.correct is None) == (self.rate is None):
            raise error_at("correct", "give either the count `correct` or, where only that is known, `rate`")
        if self.problems is None and (self.correct is not None or self.mul_tokens is not None):
            raise error_at("problems", "is missing; a count says nothing without it")
        if self.correct is not None and self.problems is not None and self.correct > self.problems:
            raise error_at("correct", f"{self.correct} of {self.problems} problems cannot be right")
        return self

    def numbers(self) -> dict[str, float]:
        """Every number that was published, by name."""
        return self.model_dump(exclude={"note", "problems"}, exclude_none=True)


class PublishedCondition(Settings):
    """A condition of a published experiment."""

    name: str = Field(..., pattern=NAME, max_length=100, description="Unique; small letters, digits, _")
    overrides: dict[Text, Value] = Field(
        default_factory=dict, description="What differs, as a recipe writes it"
    )


class PublishedStage(Settings):
    """A step that each condition went through, with its results."""

    name: str = Field(..., pattern=NAME, max_length=100, description="Unique; small letters, digits, _")
    title: Text = Field("", max_length=100, description="What it was, in words")
    published_as: Text = Field("", max_length=80, description="What the source calls it, where that differs")
    kind: str = Field(..., description="Kind of stage")
    after: str | None = Field(None, description="Name of the stage that it started from")
    size: Text = Field("", description="Data and steps, in words")
    results: dict[str, dict[str, PublishedResult]] = Field(
        default_factory=dict, description="Benchmark → condition → result"
    )

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in STAGES:
            raise ValueError(f"there is no kind {kind!r}{nearest(kind, STAGES)}")
        return kind

    @property
    def label(self) -> str:
        """Its title and what the source calls it."""
        called = f"published as “{self.published_as}”" if self.published_as else ""
        return f"{self.title} ({called})" if self.title and called else self.title or called


class PublishedTable(Settings):
    """A table of the source that holds words, kept as it stands."""

    title: Text = Field(..., min_length=1, description="Its heading in the source")
    caption: Text = Field("", description="What it is about")
    header: list[Text] = Field(..., min_length=1, description="Names of its columns")
    rows: list[list[Text]] = Field(..., min_length=1, description="Its cells as text")

    @model_validator(mode="after")
    def _even(self) -> Self:
        for place, row in enumerate(self.rows, 1):
            if len(row) != len(self.header):
                raise error_at(
                    "rows",
                    f"row {place} has {len(row)} cells, the header {len(self.header)}; make them equal",
                )
        return self


class Publication(Settings):
    """An experiment that was published and not run here."""

    name: str = Field(..., pattern=NAME, max_length=50, description="The experiment's name in the dashboard")
    title: Text = Field(..., min_length=1, max_length=200, description="One line for lists")
    question: Text = Field("", description="What the experiment asked")
    date: datetime.date = Field(..., description="When it was published")
    source: Text = Field(..., min_length=1, description="Where the numbers come from")
    primary_metric: str = Field(..., max_length=100, description="Benchmark whose accuracy decides")
    alpha: float = Field(0.05, ge=1e-6, lt=0.5, description="Significance level of the primary metric")
    benchmarks: dict[Name, dict[Text, Value]] = Field(
        ..., min_length=1, description="Benchmark → what is known of it: decoding, max_new_tokens, grader …"
    )
    conditions: list[PublishedCondition] = Field(..., min_length=1, description="The first is the baseline")
    stages: list[PublishedStage] = Field(..., min_length=1, description="In order, parents first")
    tables: list[PublishedTable] = Field(default_factory=list, description="Tables that hold words")
    notes: list[Text] = Field(default_factory=list, description="What a reader must know, a line each")

    @model_validator(mode="after")
    def _names_known(self) -> Self:
        stages: set[str] = set()
        conditions = {condition.name for condition in self.conditions}
        if len(conditions) < len(self.conditions):
            raise error_at("conditions", "two have one name; give each its own")
        for stage in self.stages:
            where = f"stages.{stage.name}"
            if stage.name in stages:
                raise error_at(where, "two stages have this name; give each its own")
            if stage.after is not None and stage.after not in stages:
                raise error_at(
                    f"{where}.after",
                    f"no stage {stage.after!r} stands before this one{nearest(stage.after, stages)}",
                )
            stages.add(stage.name)
            for benchmark, results in stage.results.items():
                _refuse(f"{where}.results", "benchmark", benchmark, self.benchmarks)
                for condition in results:
                    _refuse(f"{where}.results.{benchmark}", "condition", condition, conditions)
        _refuse("primary_metric", "benchmark", self.primary_metric, self.benchmarks)
        if not any(self.primary_metric in stage.results for stage in self.stages):
            raise error_at("primary_metric", "no stage has a result on it")
        return self

    def results(self) -> Iterator[tuple[str, str, str, PublishedResult]]:
        """Every result with its stage, benchmark and condition."""
        for stage in self.stages:
            for benchmark, by_condition in stage.results.items():
                for condition, result in by_condition.items():
                    yield stage.name, benchmark, condition, result

    def remarks(self) -> list[str]:
        """The notes of the whole and of single results, a line each."""
        return [
            *self.notes,
            *(
                f"{stage}, {condition}, {benchmark}: {result.note}"
                for stage, benchmark, condition, result in self.results()
                if result.note
            ),
        ]


def names() -> list[str]:
    """The histories that come with Mulberry."""
    return sorted(path.stem for path in HISTORY.glob("*.yaml"))


def read(name: str) -> Publication:
    """Read a shipped history by name, or a file (.yaml, .yml, .json).

    Raises ValueError with a line for each thing that is wrong.
    """
    is_file = name.endswith((".yaml", ".yml", ".json"))
    if not is_file and name not in names():  # also a name that would lead out of the folder
        raise ValueError(
            f"there is no history {name!r}{nearest(name, names())}; give a file in YAML or JSON, "
            f"or one of: {', '.join(names())}"
        )
    path = Path(name) if is_file else HISTORY / f"{name}.yaml"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name} is no text in UTF-8; give a file in YAML or JSON") from None
    try:
        data = json.loads(text, object_pairs_hook=_once) if path.suffix == ".json" else yaml_text.load(text)
    except (yaml_text.TwiceError, yaml_text.DepthError) as error:
        raise ValueError(f"{name}: {_with_lines(error, text)}") from None
    except (*yaml_text.UNREADABLE, RecursionError) as error:  # RecursionError: JSON
        form = "JSON" if path.suffix == ".json" else "YAML"
        raise ValueError(f"{name} is not {form}: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ValueError(f"{name} holds no mapping; docs/operations.md shows the format")
    try:
        return Publication.model_validate(data)
    except ValidationError as error:
        found = [problem(one, data, Publication) for one in error.errors()]
        lines = [f"{name}: {where}: {what}" if where else f"{name}: {what}" for where, what in found]
        raise ValueError("\n".join(" ".join(line.split()) for line in lines)) from None


def _once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A mapping of these; a number must not vanish behind a second one of its name. Raises ValueError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [str(name) for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise yaml_text.TwiceError(f"{twice!r} is written twice in one mapping; keep one")
    return found


def _with_lines(error: ValueError, text: str) -> ValueError:
    """JSON's reader tells no lines; nearly all JSON is YAML, whose reader does."""
    try:
        yaml_text.load(text)
    except (yaml_text.TwiceError, yaml_text.DepthError) as named:
        return named
    except (*yaml_text.UNREADABLE, RecursionError):
        pass
    return error


def _refuse(where: str, what: str, name: str, known: Any) -> None:
    if name not in known:
        raise error_at(where, f"there is no {what} {name!r} in this file{nearest(name, known)}")
