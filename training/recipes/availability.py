"""Whether the real data that a recipe asks for is there: looked at before anything is queued (no torch)."""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from training.benchmarks import BENCHMARKS, Problem
from training.data import rows
from training.data.mixture import no_example
from training.data.sources import SOURCES
from training.data_sets import DATA_SETS, data_set_of, how_to_get
from training.recipes.recipe import Recipe, RecipeError, StageSpec, resolve
from training.settings.source import Source

State = tuple[tuple[str, int, int], ...]  # path, size in bytes, time of the last change in ns: of each file


def check_data(recipe: Recipe, data_dir: Path, specs: Sequence[StageSpec] | None = None) -> None:
    """Read the first item of every source, and every problem that a benchmark asks.

    Raises RecipeError with the path of each that is missing, broken or empty; the text names file and line.

    What comes from the hub is not looked at: that takes a network. `specs` is the resolved recipe, where it is known.
    """
    problems: dict[str, str] = {}
    looked: set[str] = set()
    specs = resolve(recipe) if specs is None else specs
    asked = {benchmark.benchmark for spec in specs for benchmark in spec.benchmarks}
    for spec in specs:
        for path, source in _sources(spec):
            if source.asked_by in asked:
                problems[path] = (
                    f"the benchmark {source.asked_by} asks these problems; leave one of the two out"
                )
            if repr(source) in looked or source.streams() is not None:
                continue
            looked.add(repr(source))
            read = state_of(data_dir, source.reads())
            try:
                if text := _source_problem(type(source), source.model_dump_json(), *read):
                    problems[path] = text
            except rows.UnreadableError as error:
                problems[path] = str(error)
        for benchmark in spec.benchmarks:
            if (what := f"{benchmark.benchmark} {benchmark.problems}") in looked:
                continue
            looked.add(what)
            read = state_of(data_dir, BENCHMARKS[benchmark.benchmark].reads)
            try:
                text = _benchmark_problem(benchmark.benchmark, benchmark.problems, *read)
            except rows.UnreadableError as error:
                text = str(error)
            if text:
                problems[f"benchmarks.{benchmark.benchmark}"] = text
        if spec.tokenizer.kind == "gpt2" and "tokenizer" not in looked:
            looked.add("tokenizer")
            problems |= _tokenizer_problems(spec.tokenizer.path, data_dir)
    if problems:
        raise RecipeError(list(problems.items()))


def missing_data(recipe: Recipe, data_dir: Path, specs: Sequence[StageSpec] | None = None) -> list[str]:
    """What keeps a recipe from being launched here, a sentence for each source or benchmark without its data."""
    try:
        check_data(recipe, data_dir, specs)
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
            if source.streams() is not None:
                streamed.add(source.source)
            local |= {found.name for place in source.reads() if (found := data_set_of(place)) is not None}
    return local, streamed


def _sources(spec: StageSpec) -> Iterator[tuple[str, Source]]:
    """The sources of a stage, each with its dotted path."""
    for path, sources in spec.settings.mixtures().items():
        for source in sources:
            yield f"stages.{spec.stage}.{path}.{source.source}", source


# The gallery looks at every recipe: what was read once holds until a file that it came from is another one.
# A file that cannot be read is an error of the moment, and passes both functions.


@lru_cache(maxsize=1024)
def _source_problem(kind: type[Source], settings: str, data_dir: Path, state: State) -> str:
    """What is wrong with a source's first example; empty: nothing."""
    source = kind.model_validate_json(settings)
    try:
        first = next(SOURCES[source.source](source, seed=0, data_dir=data_dir), None)
    except rows.UnreadableError:
        raise
    except ValueError as error:
        return str(error)
    return no_example(source, data_dir) if first is None else ""


@lru_cache(maxsize=128)
def _benchmark_problem(name: str, problems: int | None, data_dir: Path, state: State) -> str:
    """What is wrong with the problems that a benchmark asks; empty: nothing."""
    try:
        problems_asked(name, problems, data_dir, state)
    except rows.UnreadableError:
        raise
    except ValueError as error:
        return str(error)
    return ""


@lru_cache(maxsize=8)
def problems_asked(name: str, problems: int | None, data_dir: Path, state: State) -> list[Problem]:
    """The problems that a benchmark asks. Raises ValueError where the files are missing, broken or empty."""
    return BENCHMARKS[name].asked(problems, data_dir=data_dir)


def state_of(data_dir: Path, reads: Sequence[str]) -> tuple[Path, State]:
    """The folder, and each file that is read, with its bytes and when its content or permissions changed last.

    What reads no file is the same in every folder.
    """
    found = []
    for place in reads:
        path = data_dir / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            try:
                stat = file.stat()
            except OSError:
                found.append((str(file), -1, 0))
            else:
                found.append((str(file), stat.st_size, stat.st_ctime_ns))
    return data_dir if reads else Path(), tuple(found)


def _tokenizer_problems(path: str | None, data_dir: Path) -> dict[str, str]:
    """A folder that is named must hold GPT-2's files, `gpt2` unless one is; another name is the hub's."""
    name = path or "gpt2"
    folder = data_dir / name
    if name not in DATA_SETS and not folder.is_dir():
        return {}
    files = [folder / "vocab.json", folder / "merges.txt"]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        text = f"there is no {' and no '.join(missing)} in {folder}; {how_to_get(name)}set MULBERRY_DATA to the data folder"
        return {"tokenizer.path": text}
    text = _vocabulary_problem(*files, tuple(file.stat().st_mtime_ns for file in files))
    return {"tokenizer.path": text} if text else {}


@lru_cache(maxsize=4)  # a megabyte to parse, looked at for every recipe; a changed file is read again
def _vocabulary_problem(vocabulary: Path, merges: Path, changed: tuple[int, ...]) -> str:
    """What is wrong with GPT-2's files; empty: nothing."""
    try:
        try:
            entries = json.loads(rows.text(vocabulary))
        except json.JSONDecodeError as error:
            return f"{vocabulary}, line {error.lineno} is not JSON; get the file again"
        if not isinstance(entries, dict) or not entries:
            return f"{vocabulary} holds no mapping of tokens to ids; get the file again"
        lines = [line for line in rows.text(merges).splitlines() if not line.startswith("#")]
    except ValueError as error:
        return str(error)
    return "" if any(lines) else f"{merges} is empty: it holds no merge; get the file again"
