"""A stage run's identity: the hash of everything that determines the checkpoint it ends with (no torch).

Two runs of one identity compute the same, so the second may take over what the first left. Neither the names of recipe,
experiment and condition nor the benchmarks are in it; the stage's name is, because its data are drawn by it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from training.data import identity
from training.recipes.recipe import StageSpec
from training.settings.shared import CodeChange
from training.settings.source import Source
from training.text import mul_tokens

CODE_CHANGES = (  # of what all kinds share: one is added when equal settings, data and seed lead to another checkpoint
    CodeChange(
        "2026-11-30",
        "what a condition never learns is never sampled, and names of reserved tokens in texts are text",
    ),
)
LATEST = "9999"  # a day behind all changes
Key = tuple[str, str, int]  # condition, stage, seed


class Earlier(NamedTuple):
    """What an identity was before the code of the stage, or of one that it starts from, changed."""

    before: str  # the day of the first of these changes
    sha256: str
    changes: tuple[CodeChange, ...]  # since then, the oldest first


class Identity(NamedTuple):
    """Empty where it cannot be told, such as when the hub is out of reach."""

    sha256: str
    data: str  # the part of it that says what the stage learns from
    earlier: tuple[Earlier, ...] = ()  # the oldest first


UNKNOWN = Identity("", "")


def key(spec: StageSpec) -> Key:
    """What names a run within its experiment."""
    return spec.condition, spec.stage, spec.seed


def of_specs(
    specs: Iterable[StageSpec], data_dir: Path, known: Mapping[Key, Identity] | None = None
) -> dict[Key, Identity]:
    """The identity of each spec; parents come before children, as `resolve` gives them.

    Those in `known` are taken as they are. Reads the data files (see training.data.identity), each once.
    """
    found = dict(known or {})
    data = _Data(data_dir)
    for spec in specs:
        if key(spec) in found:
            continue
        parent = found[spec.condition, spec.parent, spec.seed] if spec.parent else None
        try:
            found[key(spec)] = UNKNOWN if parent == UNKNOWN else _of_spec(spec, parent, data)
        except (
            ValueError
        ):  # a launch goes on without the files or the hub; the run itself says what is missing
            found[key(spec)] = UNKNOWN
    return found


def takes_time(specs: Iterable[StageSpec]) -> bool:
    """Whether the hub must be asked, or a checkpoint read, to tell identities: a page does not wait for that."""
    for spec in specs:
        if any(source.streams() is not None for part in spec.settings.mixtures().values() for source in part):
            return True
        if spec.settings.models() or spec.model.start_from is not None:
            return True
    return False


def determining(spec: StageSpec) -> dict[str, Any]:
    """The settings that determine the checkpoint, given the parent's and the content of the data."""
    settings = spec.settings
    found = {
        "seed": spec.seed,
        "settings": settings.model_dump(mode="json", exclude=set(settings.without_effect)),
        "mul_tokens": spec.mul_tokens.model_dump(mode="json"),
        "text": spec.text.model_dump(mode="json"),
    }
    forms = [spec.form, *(spec.other_forms if settings.leaves_out_long else [])]
    if len(forms) > 1:  # what is too long for another condition is left out
        found["forms"] = sorted(form.model_dump_json() for form in forms)
    if spec.held_out:  # the stage passes over these problems
        found["held_out"] = spec.held_out
    if any(form.inject for form in forms):
        found["mul_tokens_version"] = mul_tokens.VERSION
    if spec.parent is None:  # else model and tokenizer are the parent's
        found["model"] = spec.model.model_dump(mode="json")
        found["tokenizer"] = spec.tokenizer.model_dump(mode="json")
        if spec.tokenizer.kind == "small_bpe":
            found["corpus"] = [[source.model_dump(mode="json") for source in part] for part in spec.corpus]
    return found


def _of_spec(spec: StageSpec, parent: Identity | None, data: "_Data") -> Identity:
    learnt = data.digest(spec.settings.mixtures())
    found = {"data": learnt, **determining(spec)}
    if read := spec.settings.models():
        found["models"] = [data.model(place) for place in read]
    if parent is None:
        if spec.tokenizer.kind == "small_bpe":
            found["corpus_data"] = data.digest({str(place): part for place, part in enumerate(spec.corpus)})
        else:
            found["tokenizer_files"] = data.tokenizer(spec.tokenizer.path)
        if spec.model.start_from is not None:
            found["model"] |= {"start_from": data.model(spec.model.start_from)}
    sha256 = _hash(found, spec, parent and parent.sha256, LATEST)
    return Identity(sha256, learnt, tuple(_earlier(found, spec, parent)))


def _hash(found: Mapping[str, Any], spec: StageSpec, parent: str | None, before: str) -> str:
    """Of what determines the checkpoint, with the versions that the code had before a day."""
    code = [
        1 + sum(change.on < before for change in changes)
        for changes in (CODE_CHANGES, spec.settings.code_changes)
    ]
    whole = {"code": code, "parent": parent, **found}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _earlier(found: Mapping[str, Any], spec: StageSpec, parent: Identity | None) -> Iterator[Earlier]:
    own = {*CODE_CHANGES, *spec.settings.code_changes}
    above = parent.earlier if parent else ()
    for day in sorted({change.on for change in own} | {one.before for one in above}):
        start = next((one for one in above if one.before >= day), None)
        changes = {change for change in own if change.on >= day} | set(start.changes if start else ())
        sha256 = start.sha256 if start else parent and parent.sha256
        yield Earlier(day, _hash(found, spec, sha256, day), tuple(sorted(changes)))


class _Data:
    """The content of sources and models, each looked at once; ValueError where it cannot be told."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._known: dict[str, Any] = {}

    def digest(self, mixtures: Mapping[str, Sequence[Source]]) -> str:
        """One hash of all sources of a stage."""
        return identity.digest(
            [{**self._source(source), "path": path} for path, part in mixtures.items() for source in part]
        )

    def tokenizer(self, path: str | None) -> str:
        """GPT-2's two files; where they are the hub's, the name stands for them: they never change."""
        folder = self.data_dir / (path or "gpt2")
        if path is not None and not folder.is_dir():
            return path
        return identity.of_files([folder / "vocab.json", folder / "merges.txt"], folder)

    def model(self, place: str) -> str:
        """A checkpoint to start from."""
        return str(self._once(place, lambda: identity.of_model(place)))

    def _source(self, source: Source) -> identity.DataIdentity:
        found: identity.DataIdentity = self._once(
            source.model_dump_json(),
            lambda: identity.of_source("", source, self.data_dir, count_rows=False),
        )
        return found

    def _once(self, name: str, look: Callable[[], Any]) -> Any:
        if name not in self._known:
            try:
                self._known[name] = look()
            except ValueError as error:
                self._known[name] = error
        if isinstance(self._known[name], ValueError):
            raise self._known[name]
        return self._known[name]
