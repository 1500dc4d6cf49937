"""Every variant goes through the stages: learns, is reinforced from what it sampled, is killed and goes on."""

import signal
from typing import Any

import pytest

from tests.training.conftest import TINY, Stages
from training.architecture import model
from training.recipes import recipe
from webapp.launch.forms import RecipeForm

pytestmark = pytest.mark.slow

VARIANTS: dict[str, list[tuple[str, Any]]] = {
    "rope": [("model.positions", "rope")],
    "none": [("model.positions", "none")],
    "abacus": [("model.positions", "abacus")],
    "memory": [("model.memory", True), ("model.mul_token_embeddings", "composed")],
}
SHORT = [("stages.sft.after", None), ("stages.sft.epochs", 1), ("stages.grpo.prompts", 6)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_learns_and_is_reinforced(variant: str, stages: Stages) -> None:
    changes = [*VARIANTS[variant], *SHORT]
    sft = stages.make("sft", "sft", condition="mul_tokens", changes=changes)
    assert sft.run() == 0, sft.journal.records("finished")
    final = sft.checkpoints / "final"
    config = model.load(final).config
    assert variant in (config.positions, "memory" if config.memory else "")
    grpo = stages.make("grpo", "grpo", parent=final, condition="mul_tokens", changes=changes)
    assert grpo.run() == 0, grpo.journal.records("finished")
    metrics = grpo.journal.metrics()
    assert metrics
    assert all(values["logprob_mismatch"] < 1e-4 for values in metrics.values())
    assert all(values["kl"] < 0.1 for values in metrics.values())  # the reference is the same variant
    assert len(grpo.journal.records("outcomes")) == len(sft.journal.records("outcomes")) > 0


def test_a_killed_variant_goes_on_as_if_nothing_had_happened(stages: Stages) -> None:
    changes = [("model.positions", "abacus"), ("model.memory", True), ("stages.pretrain.after", None)]
    whole = stages.make("whole", "pretrain", changes=changes)
    assert whole.run() == 0
    broken = stages.make("broken", "pretrain", changes=changes)
    assert broken.run_until(5, signal.SIGKILL) == -signal.SIGKILL
    assert broken.run() == 0
    assert [fields["step"] for fields in broken.journal.records("started")] == [0, 3]
    assert broken.journal.metrics() == whole.journal.metrics()
    one, other = (s.checkpoints / "final" / "model.safetensors" for s in (whole, broken))
    assert one.read_bytes() == other.read_bytes()


def test_a_condition_may_have_a_variant() -> None:
    conditions = [
        {"name": "baseline"},
        {"name": "rotary", "overrides": {"model.positions": "rope"}},
        {"name": "remembering", "overrides": {"model.memory": True, "model.positions": "abacus"}},
    ]
    specs = recipe.resolve(recipe.build({**TINY, "conditions": conditions}))
    found = {spec.condition: (spec.model.positions, spec.model.memory) for spec in specs}
    assert found == {
        "baseline": ("learned", False),
        "rotary": ("rope", False),
        "remembering": ("abacus", True),
    }


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ({"model.positions": "rotary"}, "learned"),
        ({"model.positions": "rope", "model.n_head": 16}, "even width per head"),
    ],
)
def test_a_variant_that_cannot_be_is_refused(override: dict[str, Any], said: str) -> None:
    conditions = [{"name": "baseline"}, {"name": "odd", "overrides": override}]
    with pytest.raises(recipe.RecipeError, match=said):
        recipe.build({**TINY, "conditions": conditions})


def test_the_form_offers_the_variants_with_their_meaning() -> None:
    fields = {one.path: one for group in RecipeForm(TINY).groups for one in group.every_field()}
    positions = fields["model.positions"]
    assert [value for value, _ in positions.choices] == ["learned", "rope", "none", "abacus"]
    assert all(choice in positions.help for choice in ("rope:", "none:", "abacus:"))
    assert fields["model.memory"].kind == "bool"
    assert fields["model.mul_token_embeddings"].kind == "choice"
    assert all(fields[f"model.{key}"].help for key in ("memory", "mul_token_embeddings"))
