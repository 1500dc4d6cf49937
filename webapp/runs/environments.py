"""With what results were computed: device, threads, processes, versions of libraries; and where that differs from here."""

from collections.abc import Iterable, Mapping
from typing import Any

from training.process.environment import LIBRARIES, versions
from webapp.experiments.models import Experiment
from webapp.runs.models import Attempt

Environment = Mapping[str, Any]  # Attempt.environment
MACHINE = ("device", "threads", "processes")


def described(environment: Environment | None) -> str:
    """'cpu, 1 thread; python 3.11.2, torch 2.13.0, …'; empty where none was recorded."""
    return together([environment]) if environment else ""


def together(environments: Iterable[Environment | None]) -> str:
    """As described, of several: what they differ in with each of its values, 'torch 2.12.0 and 2.13.0'."""
    values: dict[str, dict[str, None]] = {}
    for environment in filter(None, environments):
        for name, value in environment.items():
            values.setdefault(name, {})[str(value)] = None
    if not values:
        return ""
    machine = [_and(values["device"])] if "device" in values else []
    if "threads" in values:
        machine.append(f"{_and(values['threads'])} thread{'' if list(values['threads']) == ['1'] else 's'}")
    if list(values.get("processes", ["1"])) != ["1"]:
        machine.append(f"{_and(values['processes'])} processes")
    libraries = [f"{name} {_and(values[name])}" for name in _libraries(values)]
    return "; ".join(filter(None, (", ".join(machine), ", ".join(libraries))))


def unlike_here(environment: Environment | None) -> str:
    """What of it differs from this installation: 'torch 2.12.0 (here 2.13.0)'; empty: nothing, or not recorded."""
    here = versions()
    return ", ".join(
        f"{name} {environment[name]} (here {here.get(name, 'none')})"
        for name in _libraries(environment or {})
        if environment and here.get(name) != environment[name]
    )


def of_experiment(experiment: Experiment) -> str:
    """With what an experiment's attempts were computed. One query."""
    rows = Attempt.objects.filter(stage_run__experiment=experiment, environment__isnull=False)
    return together(rows.order_by("stage_run_id", "number").values_list("environment", flat=True))


def _libraries(names: Iterable[str]) -> list[str]:
    """Python and libraries, those that matter most first: the database keeps no order."""
    order = ["python", *LIBRARIES]
    return sorted(
        (name for name in names if name not in MACHINE),
        key=lambda name: (order.index(name) if name in order else len(order), name),
    )


def _and(values: Iterable[str]) -> str:
    return " and ".join(values)
