"""What a recipe becomes: one frozen spec a stage run, and the file that a run directory holds (no torch)."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from pydantic import Field

from training.benchmarks import Benchmark
from training.data.sources import AnySource
from training.recipes.validation import validated_by
from training.settings.base import Settings
from training.settings.shared import (
    BenchmarkSettings,
    ModelSettings,
    MulTokenSettings,
    TextForm,
    TextSettings,
    TokenizerSettings,
)
from training.stages import AnyStage


class StageSpec(Settings):
    """Everything that determines one stage run, resolved and frozen."""

    recipe: str
    condition: str
    stage: str
    seed: int
    parent: str | None
    model: ModelSettings
    tokenizer: TokenizerSettings
    mul_tokens: MulTokenSettings
    text: TextSettings = TextSettings()
    settings: AnyStage
    benchmarks: list[BenchmarkSettings]
    forms: list[TextForm] = Field(
        default_factory=list,
        description="Every way in which the experiment's conditions write an example: it is kept when all of them fit; "
        "empty: its own way alone",
    )
    checked: list[BenchmarkSettings] = Field(
        default_factory=list,
        description="Benchmarks of all stages, one setting each: whose problems the data are checked for",
    )
    corpus: list[list[AnySource]] = Field(
        default_factory=list,
        description="Every stage's sources: what small_bpe is trained on, in all conditions",
    )

    @property
    def form(self) -> TextForm:
        """How this condition writes an example."""
        return TextForm(inject=self.mul_tokens.inject, format=self.text.format)

    @property
    def drawing(self) -> dict[str, Any]:
        """What decides which examples the stage draws and keeps, but for seed and content of the data."""
        tokenizer = [self.tokenizer.model_dump(mode="json"), self.model.start_from]
        drawing = {**self.settings.drawing(), "context": self.model.n_positions, "tokenizer": tokenizer}
        return drawing | ({"held_out": self.held_out} if self.held_out else {})

    @property
    def validated_by(self) -> Benchmark | None:
        """The benchmark whose validation split is asked while the stage trains."""
        return validated_by(self.settings, self.benchmarks)

    @property
    def held_out(self) -> str:
        """The benchmark whose validation split the stage must not learn from; empty where no source has such problems."""
        benchmark = self.validated_by
        return benchmark.name if benchmark and benchmark.validation_from else ""

    @property
    def other_forms(self) -> list[TextForm]:
        """How the other conditions write it."""
        return [form for form in self.forms if form != self.form]


class RunSpec(Settings):
    """spec.json of a run directory: the stage spec and where it runs."""

    spec: StageSpec
    attempt: int = Field(1, ge=1, description="Number of this execution; the fencing token under a worker")
    parent_checkpoint: str | None = Field(None, description="Folder of the parent's final checkpoint")
    parent_manifest: str = Field("", description="SHA-256 of its manifest.json; empty: any whole one")
    finished_checkpoint: str | None = Field(
        None, description="Folder of this stage's own result, made by another run: only benchmarks are run"
    )
    finished_manifest: str = Field("", description="SHA-256 of its manifest.json; empty: any whole one")
    key: str = Field(
        "",
        description="What names this run in its checkpoints' manifests; those of another run are passed over",
    )
    recorded: list[str] | None = Field(
        None,
        description="SHA-256 of the manifests of the checkpoints to go on from, of which the records are kept; null: any",
    )
    checkpoints: str = Field(
        "checkpoints", description="Folder for checkpoints; relative to the run directory"
    )
    data_dir: str | None = Field(None, description="Real data; empty: MULBERRY_DATA")
    cache_dir: str | None = Field(
        None,
        description="What runs share and can make again; empty: MULBERRY_CACHE, else cache beside the run directory",
    )
    device: str = Field("cpu", description="torch's name of the device")
    threads: int = Field(1, ge=1, description="CPU threads")


def with_most_problems(benchmarks: Iterable[Iterable[BenchmarkSettings]]) -> list[BenchmarkSettings]:
    """Each benchmark once, of the settings that ask most of its problems (None: all)."""
    most: dict[str, BenchmarkSettings] = {}
    for one in chain.from_iterable(benchmarks):
        known = most.setdefault(one.benchmark, one)
        if known.problems is not None and (one.problems is None or one.problems > known.problems):
            most[one.benchmark] = one
    return list(most.values())
