"""The entries that the added files need: for each row of CONTRIBUTING's table a file's lines, and behind which they go."""

ENTRIES: dict[str, dict[str, list[tuple[str, str]]]] = {
    "a kind of stage": {
        "training/stages/__init__.py": [
            (
                "from training.settings.shared import StageSettings",
                "from training.stages.counting.config import CountingSettings",
            ),
            ("    EvaluateSettings,", "    CountingSettings,"),
        ]
    },
    "a reward": {
        "training/rewards/__init__.py": [
            ("from training.rewards import plugins", "from training.rewards.counting import CountingReward"),
            ("    RepetitionReward,", "    CountingReward,"),
        ]
    },
    "a benchmark": {
        "training/benchmarks/__init__.py": [
            ("    arithmetic_probes,", "    counting,"),
            ("        hellaswag,", "        counting,"),
        ]
    },
    "a data source": {
        "training/data/sources/__init__.py": [
            ("from training.data.sources import (", "    counting,"),
            (
                "    (word_problems.WordProblemsSource, word_problems.examples),",
                "    (counting.CountingSource, counting.examples),",
            ),
        ]
    },
    "a recipe": {},
    "a finding": {
        "webapp/diagnosis/rules/__init__.py": [
            ("    collapse,", "    counting,"),
            ("    forgetting.forgetting,", "    counting.counted,"),
        ],
        "docs/findings.md": [("|---|---|---|", "| `counted` | counting | numbers were recorded |")],
    },
    "a metric of the comparison": {
        "training/recipes/metric_names.py": [('    "accuracy",', '    "counting_rate",')],
        "webapp/comparison/metrics.py": [
            (
                '        ComparisonMetric("accuracy", "Accuracy", "correct", "right"),',
                '        ComparisonMetric("counting_rate", "Counting rate", "counts", "counting"),',
            )
        ],
        "webapp/results/outcome_counts.py": [
            ('    "correct": "rate",', '    "counts": "counting_rate",'),
            ("    correct: int", "    counts: int"),
            (
                '            right=Count("greedy", filter=Q(greedy__correct=True)),',
                '            counts=Count("greedy", filter=Q(greedy__completion__contains="1")),',
            ),
            ('            "right",', '            "counts",'),
            ('    "correct": "{row}.correct",', '    "counts": "({row}.completion LIKE \'%%1%%\')",'),
        ],
    },
    "a chart of a metric": {
        "webapp/charts/kinds.py": [("CURATED = (", '    Kind("counted", "Numbers counted", "so far"),')]
    },
    "an export format": {
        "webapp/files/formats.py": [
            ("from typing import TYPE_CHECKING, NamedTuple", "from webapp.files.counting import counting"),
            (
                '    "csv": Format("CSV", "text/csv; charset=utf-8", _csv),',
                '    "counting": Format("Counting", "text/plain; charset=utf-8", counting),',
            ),
        ]
    },
    "a page": {
        "webapp/urls.py": [
            (
                "from webapp.pages.comparison import views as comparison",
                "from webapp.pages.counting import counting",
            ),
            (
                '    path("healthz", healthz, name="healthz"),',
                '    path("counting/", counting, name="counting"),',
            ),
        ],
        "tests/pages.py": [('    "overview": _at("overview"),', '    "counting": _at("counting"),')],
    },
}
