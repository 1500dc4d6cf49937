"""How far the policy went: KL divergence that runs away or stays at zero, and whether trainer and sampler agree."""

from collections.abc import Iterator

from webapp.diagnosis.finding import Advice, Finding, Severity, figure, share
from webapp.diagnosis.hypotheses import A, C
from webapp.diagnosis.records import RunRecords

RUNAWAY = 1.0  # nats per token: tokens have become e times likelier or less likely on average; healthy runs stay near 0.3
PINNED = (
    1e-4  # nats per token: a change of the log-probabilities by about 0.01, since KL grows with its square
)
MISMATCH = 0.05  # nats per token: above what bf16 explains (about 0.02); float32 agrees to 0.00001
FEW = (
    0.3  # of the tokens: below, verl's guide calls the weights degenerate; 1 where policy and sampler are one
)
BROKEN = 0.5  # nats per token: scores of another text; shifted positions cost up to 12


def kl_divergence(records: RunRecords) -> Iterator[Finding]:
    """KL beyond RUNAWAY at the end, or below PINNED over the whole run."""
    kl, points = records.trend("kl"), records.series("kl")
    if kl is None or points is None or kl.points < 10:
        return
    accuracy = records.trend("accuracy")
    if kl.end >= RUNAWAY:
        start = records.since("kl", RUNAWAY)
        gains = accuracy is not None and accuracy.word == "rising"
        yield Finding(
            kind="kl_runaway",
            severity=Severity.WARNING if gains else Severity.CRITICAL,
            headline="KL divergence runs away from the first policy",
            evidence=f"KL {figure(kl.start)} at the start, {figure(kl.end)} nats per token {records.by_end}"
            + (
                f"; accuracy of rollouts {figure(accuracy.start)} → {figure(accuracy.end)}."
                if accuracy
                else "."
            ),
            reading="Consistent with a step that is too large for beta: the policy leaves what earlier stages taught.",
            not_shown="Not shown: that what it left was worth keeping; a benchmark before and after says that.",
            links=(records.chart("kl"), *records.texts(start)),
            advice=(
                Advice(
                    "Raise beta or lower the learning rate.",
                    changes=records.times("beta", 2, instead_of_0=0.02),
                ),
                Advice("Start from a stronger model, which has less far to go.", C),
            ),
            onset=start,
        )
    elif float(points.values.max()) < PINNED:
        yield Finding(
            kind="kl_pinned",
            severity=Severity.WARNING,
            headline="KL divergence stays at zero: the policy has hardly moved",
            evidence=f"At most {figure(float(points.values.max()))} nats per token over {kl.points:,} points.",
            reading="Consistent with a learning rate too small, a beta too large, or groups that give no gradient.",
            not_shown="Not shown: that this reward cannot teach anything; it was hardly tried.",
            links=(records.chart("kl"), records.chart("groups_without_gradient")),
            advice=(
                Advice(
                    "Raise the learning rate or lower beta.",
                    changes=records.times("optimizer.learning_rate", 3),
                ),
                Advice("Compare model sizes only once the policy moves.", A),
            ),
            onset=kl.first_step,
        )


def logprob_mismatch(records: RunRecords) -> Iterator[Finding]:
    """The trainer scores the sampled tokens otherwise than the sampler did."""
    mismatch = records.trend("logprob_mismatch")
    if mismatch is None or max(mismatch.start, mismatch.end) < MISMATCH:
        return
    worst = max(mismatch.start, mismatch.end)
    start = records.since("logprob_mismatch", MISMATCH)
    yield Finding(
        kind="logprob_mismatch",
        severity=Severity.CRITICAL if worst >= BROKEN else Severity.WARNING,
        headline="Trainer and sampler disagree about the log-probabilities",
        evidence=f"Mean difference {figure(mismatch.start)} nats per token at the start, {figure(mismatch.end)} {records.by_end}.",
        reading="Consistent with a policy that is trained on other positions, precision or weights than it samples with.",
        not_shown="Not shown: how much of the result it costs; repeat the run without it before reading anything else.",
        links=(records.chart("logprob_mismatch"), *records.texts(start)),
        advice=(
            Advice(
                "Repeat the run in precision fp32 and with sampler static_cache, before anything else.",
                changes=(("precision", "fp32"), ("sampler", "static_cache")) if records.settings else (),
            ),
        ),
        onset=start,
    )


def effective_sample_size(records: RunRecords) -> Iterator[Finding]:
    """The weights of the sampled tokens leave few of them to learn from."""
    size = records.trend("importance_ratio/ess")
    if size is None or size.points < 10 or size.end >= FEW:
        return
    passes = records.settings.get("iterations")
    several = isinstance(passes, int) and passes > 1
    start = records.since("importance_ratio/ess", FEW, below=True)
    yield Finding(
        kind="effective_sample_size",
        severity=Severity.WARNING,
        headline=f"The effective sample size is {share(size.end)} of the tokens {records.by_end}",
        common="The effective sample size is small",
        evidence=(
            f"(Σ ratio)² / (tokens × Σ ratio²) of policy to sampler: {share(size.start)} at the start, {share(size.end)} "
            f"{records.by_end}" + (f"; {passes} passes over each batch." if several else ".")
        ),
        reading=(
            "Consistent with a policy that is far from the one that sampled: "
            + (
                "it moves too far within a batch."
                if several
                else "with one pass over a batch, sampler and trainer compute different things."
            )
        ),
        not_shown="Not shown: that the step is wrong: clipping bounds what single ratios do.",
        links=(
            records.chart("importance_ratio/ess"),
            records.chart("logprob_mismatch"),
            *records.texts(start),
        ),
        advice=(
            Advice("Make fewer passes over a batch.", changes=(("iterations", 1),))
            if several
            else Advice(
                "Repeat the run in precision fp32 and with sampler static_cache.",
                changes=(("precision", "fp32"), ("sampler", "static_cache")) if records.settings else (),
            ),
        ),
        onset=start,
    )
