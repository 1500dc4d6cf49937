"""Every address of the dashboard by its URL name: pages with an example each, and what is no page of its own.

`unknown()` names what a new URL lacks here, so that no page is left out of the tests and of the benchmark.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse


@dataclass(frozen=True)
class Rows:
    """Names and ids of rows that the examples are about."""

    experiment: str  # finished or running, with evaluations
    launched: str  # an experiment of the smoke recipe
    run: int  # a GRPO run of it
    rollout: int  # of that run
    evaluation: int  # of it
    problem: str  # of that evaluation
    published: str  # an imported experiment
    worker: int


Example = Callable[[Rows], str]


def _at(url_name: str, /, **arguments: Callable[[Rows], Any] | str) -> Example:
    """The address of a URL name; arguments are read from the rows unless they are text."""

    def address(rows: Rows) -> str:
        found = {key: value if isinstance(value, str) else value(rows) for key, value in arguments.items()}
        return reverse(url_name, kwargs=found)

    return address


def _experiment(rows: Rows) -> str:
    return rows.experiment


def _run(rows: Rows) -> int:
    return rows.run


PAGES: dict[str, Example] = {
    "overview": _at("overview"),
    "experiments": _at("experiments"),
    "new_experiment": _at("new_experiment"),
    "new_from_recipe": _at("new_from_recipe", recipe="demo"),
    "new_from_text": _at("new_from_text"),
    "clone_experiment": _at("clone_experiment", name=lambda rows: rows.launched),
    "fork_experiment": _at("fork_experiment", name=lambda rows: rows.launched, stage="grpo"),
    "experiment": _at("experiment", name=_experiment),
    "edit_notes": _at("edit_notes", name=_experiment),
    "cancel_experiment": _at("cancel_experiment", name=lambda rows: rows.launched),
    "delete_experiment": _at("delete_experiment", name=_experiment),
    "cancel_run": _at("cancel_run", run_id=_run),
    "comparison": _at("comparison", name=_experiment),
    "compare": lambda rows: reverse("compare") + f"?experiment1={rows.experiment}",
    "flips": _at("flips", name=_experiment),
    "problem_map": _at("problem_map", name=_experiment),
    "stepper": _at("stepper", name=_experiment),
    "report": _at("report", name=_experiment),
    "evaluation": _at("evaluation", evaluation_id=lambda rows: rows.evaluation),
    "run": _at("run", run_id=_run),
    "rollouts": _at("rollouts", run_id=_run),
    "experiment_rollouts": _at("experiment_rollouts", name=_experiment),
    "prompt_map": _at("prompt_map", run_id=_run),
    "rollout_group": _at("rollout_group", run_id=_run, rollout_id=lambda rows: rows.rollout),
    "rollout_pair": _at("rollout_pair", run_id=_run, rollout_id=lambda rows: rows.rollout),
    "workers": _at("workers"),
    "worker": _at("worker", worker_id=lambda rows: rows.worker),
    "search": _at("search"),
    "saved_views": _at("saved_views"),
    "notifications": _at("notifications"),
    "account": _at("account"),
    "help": _at("help"),
    "help_page": _at("help_page", name="glossary"),
    "help_shortcuts": _at("help_shortcuts"),
}
MORE: dict[str, Example] = {  # other states of pages above
    "published": lambda rows: reverse("experiment", kwargs={"name": rows.published}),
    "published-comparison": lambda rows: reverse("comparison", kwargs={"name": rows.published}),
    "published-report": lambda rows: reverse("report", kwargs={"name": rows.published}),
    "samples": lambda rows: (
        reverse("samples", kwargs={"evaluation_id": rows.evaluation}) + f"?problem={rows.problem}"
    ),
    "form-yaml": lambda rows: reverse("new_from_recipe", kwargs={"recipe": "demo"}) + "?as=yaml",
    "form-tiny": lambda rows: (
        reverse("new_from_recipe", kwargs={"recipe": "hypothesis_d_one_step"})
        + "?scale=tiny&set=seeds=[0,1]&set=stages.grpo.beta=0.1"
    ),
    "compare-empty": _at("compare"),
    "comparison-amounts": lambda rows: (
        reverse("comparison", kwargs={"name": rows.experiment})
        + "?metric=mul_tokens_per_response&seeds=together"
    ),
    "search-found": lambda rows: reverse("search") + f"?q={rows.experiment}",
    "compare-several": lambda rows: (
        reverse("compare")
        + f"?experiment1={rows.experiment}&experiment2={rows.published}&experiment3={rows.experiment}"
    ),
    "comparison-together": lambda rows: (
        reverse("comparison", kwargs={"name": rows.experiment}) + "?seeds=together"
    ),
    "experiment-settings": lambda rows: reverse("experiment", kwargs={"name": rows.launched}) + "?only=no",
    "flips-narrowed": lambda rows: reverse("flips", kwargs={"name": rows.experiment}) + "?only=gained",
    "published-problem-map": lambda rows: reverse("problem_map", kwargs={"name": rows.published}),
    "problem-map-ordered": lambda rows: (
        reverse("problem_map", kwargs={"name": rows.experiment}) + "?order=solved&seeds=1"
    ),
    "run-metrics": lambda rows: reverse("run", kwargs={"run_id": rows.run}) + "?find=reward",
    "experiments-ordered": lambda rows: reverse("experiments") + "?archived=with&sort=-device",
    "help-found": lambda rows: reverse("help") + "?q=holm",
    "help-statistics": lambda rows: reverse("help_page", kwargs={"name": "statistics"}),
    "experiments-none": lambda rows: reverse("experiments") + "?q=zebra",
    "rollouts-chosen": lambda rows: (
        reverse("rollouts", kwargs={"run_id": rows.run})
        + f"?sort=spread&mixed=on&from_step=1&group={rows.rollout}"
    ),
    "rollouts-none": lambda rows: reverse("rollouts", kwargs={"run_id": rows.run}) + "?words=zebra",
}
SIGNED_OUT = {  # seen by who is not signed in
    "sign_in": _at("sign_in"),
    "sign_in_link": _at("sign_in_link", secret="none"),
}
NO_PAGES = {  # name → what it is instead
    "healthz": "a probe",
    "readyz": "a probe",
    "sign_out": "a POST",
    "organise": "a POST",
    "annotate": "a POST",
    "organise_experiment": "a POST",
    "regrade_experiment": "a POST",
    "retry_experiment": "a POST",
    "retry_run": "a POST",
    "set_theme": "a POST",
    "hide_first_steps": "a POST",
    "notification_read": "a POST",
    "first_step": "a redirect to what it is about",
    "save_view": "a POST",
    "change_view": "a POST",
    "delete_view": "a POST",
    "notification": "a redirect to what it is about",
    "notifications_read": "a POST",
    "notification_settings": "a POST",
    "webhook_secret": "a POST",
    "drain_worker": "a POST",
    "undrain_worker": "a POST",
    "pause_queue": "a POST",
    "resume_queue": "a POST",
    "move_in_queue": "a POST",
    "experiment_notes": "a fragment",
    "live": "a stream",
    "search_json": "a file",
    "chart_file": "a file",
    "experiment_rollout_file": "a file",
    "experiment_settings": "a fragment",
    "group_rows": "a fragment",
    "experiment_group_rows": "a fragment",
    "group_pane": "a fragment",
    "group_texts": "a fragment",
    "group_tokens": "a fragment",
    "token_table": "a fragment",
    "whole_text": "a fragment",
    "samples": "in MORE",
    "experiment_answer": "a fragment",
    "benchmarks": "a fragment",
    "experiment_charts": "a file",
    "experiment_state": "a fragment",
    "findings": "a fragment",
    "run_head": "a fragment",
    "run_records": "a fragment",
    "run_log": "a fragment",
    "run_findings": "a fragment",
    "run_dynamics": "a fragment",
    "newest_rollouts": "a fragment",
    "run_charts": "a file",
    "bundle_file": "a file",
    "table_file": "a file",
    "any_table_file": "a file",
    "compare_file": "a file",
    "experiments_file": "a file",
    "comparison_charts": "a file",
    "point_file": "a file",
    "flips_file": "a file",
    "outcomes_file": "a file",
    "report_file": "a file",
    "evaluation_file": "a file",
    "rollout_file": "a file",
    **{
        f"{form}_{part}": "a fragment"
        for form in ("new_from_recipe", "new_from_text", "clone_experiment", "fork_experiment")
        for part in ("fields", "panel")
    },
}


def names(patterns: list[Any] | None = None) -> Iterator[str]:
    """Every URL name that there is."""
    for one in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(one, URLResolver):
            yield from names(one.url_patterns)
        elif isinstance(one, URLPattern) and one.name:
            yield one.name


def unknown() -> tuple[set[str], set[str]]:
    """URL names that this module does not know, and names in it that are no URL's."""
    here, there = {*PAGES, *SIGNED_OUT, *NO_PAGES}, set(names())
    return there - here, here - there
