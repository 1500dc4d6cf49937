"""What a stage records of the texts that it learnt, for tests that train nothing."""

from training.data.kept import KeptExamples, SourceDose


def kept_examples(*, mul_tokens: int = 0) -> list[KeptExamples]:
    """What a stage records of one part that learns from two sources."""
    drills: SourceDose = {
        "source": "drills", "examples": 300, "tokens": 2_900 - 30 * mul_tokens, "mul_tokens": 280 * mul_tokens,
        "products": 290, "replaced": 280 * min(mul_tokens, 1),
    }  # fmt: skip
    gsm8k: SourceDose = {
        "source": "gsm8k", "examples": 100, "tokens": 12_000 - 400 * mul_tokens, "mul_tokens": 41 * mul_tokens,
        "products": 60, "replaced": 38 * min(mul_tokens, 1),
    }  # fmt: skip
    return [
        {
            "part": "train",
            "passes": 2,
            "examples": 400,
            "too_long": 9,
            "sha256": "5a" * 32,
            "sources": [drills, gsm8k],
        }
    ]
