"""An experiment deleted for good, with everything it owns: what that frees and what stays for others is said before."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models, transaction
from django.db.models import QuerySet

from training.process.run_folders import belongs_to_another, folder_name
from webapp.experiments.models import Experiment
from webapp.runs.models import OVER, Attempt, Checkpoint, QueueEvent, StageRun


@dataclass(frozen=True)
class Deletion:
    """What deleting an experiment removes and what it leaves."""

    runs: int
    under_way: int  # of them, those that are not over
    removed: Sequence[Path]  # folders of this machine
    bytes: int  # in them
    kept: Sequence[Path]  # folders of checkpoints that other experiments took over
    kept_for: Sequence[str]  # names of those experiments
    elsewhere: Sequence[str]  # machines on which its runs have folders that are not seen from here


def may_delete(experiment: Experiment, person: User | AnonymousUser) -> bool:
    """Whether a person may: its owner and operators may."""
    return person.is_superuser or experiment.owner_id == person.pk


def planned(experiment: Experiment) -> Deletion:
    """What deleting would do now. Five queries, and a look at each file."""
    runs = list(StageRun.objects.filter(experiment=experiment).only("pk", "key", "state"))
    storage = [Path(settings.MULBERRY_STORAGE).resolve() / folder_name(run.pk, run.key) for run in runs]
    homes = [settings.MULBERRY_HOME.resolve() / "runs" / folder_name(run.pk, run.key) for run in runs]
    keys = [run.key for run in runs]
    others = Checkpoint.objects.exclude(attempt__stage_run__experiment=experiment).filter(
        path__in=[str(folder / name) for folder in storage for name in _names(folder)]
    )
    used = dict(others.values_list("path", "attempt__stage_run__experiment__name").order_by("pk"))
    owned = [
        part
        for folder, key in zip([*storage, *homes], [*keys, *keys], strict=True)
        if folder.is_dir() and not belongs_to_another(folder, key)
        for part in _parts(folder, used)
    ]
    attempts = Attempt.objects.filter(stage_run__experiment=experiment).exclude(run_dir="")
    away = {
        host for host, run_dir in attempts.values_list("hostname", "run_dir") if not Path(run_dir).is_dir()
    }
    return Deletion(
        runs=len(runs),
        under_way=sum(run.state not in OVER for run in runs),
        removed=owned,
        bytes=sum(map(_bytes, owned)),
        kept=[Path(path) for path in used],
        kept_for=sorted(set(used.values())),
        elsewhere=sorted(away),
    )


def delete(*, experiment: Experiment, by: str) -> Deletion:
    """Delete it: first every row, then the folders. Raises ValueError while something of it runs or is queued.

    What cannot be removed from disk is in no database any more; it is named in an OSError.
    """
    with transaction.atomic():
        locked = Experiment.objects.select_for_update().get(pk=experiment.pk)
        found = planned(locked)
        if found.under_way:
            raise ValueError(f"{locked.name} is not over: cancel it, then delete it")
        QueueEvent.objects.create(by=by, text=f"deleted the experiment {locked.name}")
        _delete_with_all_below(Experiment.objects.filter(pk=locked.pk))
    failed: list[OSError] = []
    for folder in found.removed:
        shutil.rmtree(folder, onerror=lambda *error: failed.append(error[2][1]))
        parent = folder.parent
        if parent.name not in ("runs", Path(settings.MULBERRY_STORAGE).name) and not any(parent.iterdir()):
            parent.rmdir()
    if failed:
        raise OSError(f"{experiment.name} is deleted, but not all of its files: {failed[0]}")
    return found


def _names(folder: Path) -> Iterator[str]:
    """What lies in a folder that may not be there."""
    if folder.is_dir():
        yield from (one.name for one in folder.iterdir())


def _parts(folder: Path, used: Iterable[str]) -> list[Path]:
    """The folder; where others use something in it, the rest of it."""
    kept = {path for path in used if Path(path).parent == folder}
    if not kept:
        return [folder]
    return [one for one in folder.iterdir() if one.is_dir() and str(one) not in kept]


def _bytes(folder: Path) -> int:
    return sum(one.lstat().st_size for one in folder.rglob("*") if one.is_file() and not one.is_symlink())


def _delete_with_all_below(rows: QuerySet[Any]) -> None:
    """Delete rows, and first what goes with them, by a statement a table: Django would fetch every row's id.

    A relation to the same table is left to the rows' own statement, one that does nothing to what else it hangs on; constraints are
    checked at the end of the transaction.
    """
    for relation in rows.model._meta.get_fields(include_hidden=True):
        if not (relation.auto_created and (relation.one_to_many or relation.one_to_one)):
            continue
        field = relation.field
        below = relation.related_model._base_manager.filter(**{f"{field.name}__in": rows.values("pk")})
        if relation.on_delete is models.SET_NULL:
            below.update(**{field.name: None})
        elif relation.on_delete is models.CASCADE and relation.related_model is not rows.model:
            _delete_with_all_below(below)
    rows._raw_delete(rows.db)
