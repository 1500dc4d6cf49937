"""Whether the real data that a recipe asks for is there: looked at before anything is queued (no torch)."""

from collections.abc import Iterator
from pathlib import Path

from training.benchmarks import BENCHMARKS
from training.data.files import FilesSource
from training.data.mixture import SOURCES
from training.data.sources.decompositions import DecompositionsSource
from training.data.sources.gsm8k import Gsm8kSource
from training.data.sources.plain_text import PlainTextSource
from training.data_sets import DATA_SETS, how_to_get
from training.recipes.recipe import Recipe, RecipeError, StageSpec, resolve
from training.settings.shared import Source

ASKED_AS_THEY_ARE = {"svamp"}  # sources whose problems are those of the benchmark of the same name


def check_data(recipe: Recipe, data_dir: Path) -> None:
    """Read the first item of every source and benchmark; raises RecipeError with the path of each that fails.

    What comes from the hub is not looked at: that takes a network.
    """
    problems: dict[str, str] = {}
    looked: set[str] = set()
    specs = resolve(recipe)
    asked = {benchmark.benchmark for spec in specs for benchmark in spec.benchmarks}
    for spec in specs:
        for path, source in _sources(spec):
            if source.source in ASKED_AS_THEY_ARE & asked:
                problems[path] = (
                    f"the benchmark {source.source} asks these problems; leave one of the two out"
                )
            on_hub = isinstance(source, Gsm8kSource | FilesSource) and source.hub is not None
            if repr(source) in looked or on_hub:
                continue
            looked.add(repr(source))
            try:
                next(SOURCES[source.source](source, seed=0, data_dir=data_dir), None)
            except ValueError as error:
                problems[path] = str(error)
        for benchmark in spec.benchmarks:
            if benchmark.benchmark in looked:
                continue
            looked.add(benchmark.benchmark)
            try:
                BENCHMARKS[benchmark.benchmark].problems(1, data_dir=data_dir)
            except ValueError as error:
                problems[f"benchmarks.{benchmark.benchmark}"] = str(error)
        if spec.tokenizer.kind == "gpt2" and "tokenizer" not in looked:
            looked.add("tokenizer")
            problems |= _tokenizer_problems(spec.tokenizer.path, data_dir)
    if problems:
        raise RecipeError(list(problems.items()))


def missing_data(recipe: Recipe, data_dir: Path) -> list[str]:
    """What keeps a recipe from being launched here, a sentence for each source or benchmark without its data."""
    try:
        check_data(recipe, data_dir)
    except RecipeError as error:
        return [text for _, text in error.problems]
    return []


def wanted(recipe: Recipe) -> tuple[set[str], set[str]]:
    """What a recipe reads: names of DATA_SETS in the data folder, and sources that it streams from the hub."""
    local: set[str] = set()
    streamed: set[str] = set()
    for spec in resolve(recipe):
        local |= {one.benchmark for one in spec.benchmarks if one.benchmark in DATA_SETS}
        if spec.tokenizer.kind == "gpt2" and spec.tokenizer.path in (None, "gpt2"):
            local.add("gpt2")
        for _, source in _sources(spec):
            match source:
                case FilesSource(hub=str()) | Gsm8kSource(hub=str()):
                    streamed.add(source.source)
                case PlainTextSource(path="text/tinyshakespeare.txt"):
                    local.add("tinyshakespeare")
                case Gsm8kSource() | DecompositionsSource(problems="gsm8k"):
                    local.add("gsm8k")
                case FilesSource() if source.source in DATA_SETS:
                    local.add(source.source)
    return local, streamed


def _sources(spec: StageSpec) -> Iterator[tuple[str, Source]]:
    """The sources of a stage, each with its dotted path."""
    for path, sources in spec.settings.mixtures().items():
        for source in sources:
            yield f"stages.{spec.stage}.{path}.{source.source}", source


def _tokenizer_problems(path: str | None, data_dir: Path) -> dict[str, str]:
    """A folder that is named must hold GPT-2's files, `gpt2` unless one is; another name is the hub's."""
    name = path or "gpt2"
    folder = data_dir / name
    if name not in DATA_SETS and not folder.is_dir():
        return {}
    missing = [file for file in ("vocab.json", "merges.txt") if not (folder / file).is_file()]
    if not missing:
        return {}
    text = f"there is no {' and no '.join(missing)} in {folder}; {how_to_get(name)}set MULBERRY_DATA to the data folder"
    return {"tokenizer.path": text}
