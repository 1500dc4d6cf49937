"""Rules of the diagnosis: each is one function, in the module of its family, and one entry here.

A rule reads the records of a stage run, or an experiment's stage table, and yields what it finds.
"""

from collections.abc import Callable, Iterator

from webapp.comparison.table import StageTable
from webapp.diagnosis.finding import Finding
from webapp.diagnosis.records import RunRecords
from webapp.diagnosis.rules import (
    answers,
    clipping,
    collapse,
    components,
    contamination,
    divergence,
    dose,
    entropy,
    forgetting,
    gradient,
    length,
    loss,
    overfitting,
    reward,
    seeds,
    sizes,
    spread,
    stopping,
    validation,
)

RUN_RULES: tuple[Callable[[RunRecords], Iterator[Finding]], ...] = (
    reward.reward_without_correctness,
    collapse.mode_collapse,
    entropy.entropy_collapse,
    components.component_without_spread,
    gradient.groups_without_gradient,
    gradient.base_accuracy,
    divergence.kl_divergence,
    divergence.logprob_mismatch,
    divergence.effective_sample_size,
    clipping.tokens_clipped,
    clipping.gradient_clipped,
    loss.loss_diverged,
    stopping.no_end,
    length.length_by_truncation,
    overfitting.over_fitting,
    validation.validation_peak,
    forgetting.forgetting,
    contamination.contamination,
)
TABLE_RULES: tuple[Callable[[StageTable], Iterator[Finding]], ...] = (
    seeds.seeds_do_not_rank,
    spread.too_few_seeds,
    sizes.evaluation_too_small,
    sizes.sizes_differ,
    answers.answer_rules_differ,
    dose.dose_near_none,
    dose.learnt_tokens_differ,
)
