"""Whether the real data that a recipe asks for is there: looked at before anything is queued (no torch)."""

from collections.abc import Iterator
from pathlib import Path

from training.benchmarks import BENCHMARKS
from training.data.files import FilesSource
from training.data.sources import SOURCES
from training.data.sources.gsm8k import Gsm8kSource
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


def _sources(spec: StageSpec) -> Iterator[tuple[str, Source]]:
    """The sources of a stage, each with its dotted path."""
    for path, sources in spec.settings.mixtures().items():
        for source in sources:
            yield f"stages.{spec.stage}.{path}.{source.source}", source


def _tokenizer_problems(path: str | None, data_dir: Path) -> dict[str, str]:
    """A folder that is named must hold GPT-2's files; a name that is no folder is the hub's."""
    folder = data_dir / path if path else None
    if folder is None or not folder.is_dir():
        return {}
    missing = [name for name in ("vocab.json", "merges.txt") if not (folder / name).is_file()]
    return {"tokenizer.path": f"there is no {' and no '.join(missing)} in {folder}"} if missing else {}
