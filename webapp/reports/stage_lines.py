"""What a stage was set to, line by line, from its settings: a kind that has a setting has its line, whichever kind it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import getdoc
from typing import Any

from training.settings.reward import Reward
from training.settings.shared import OptimizerSettings, StageSettings, TrainingStageSettings
from training.settings.source import Source


def _optimizer(stage: StageSettings) -> str | None:
    if not isinstance(stage, TrainingStageSettings):
        return None
    found, several = stage.optimizer, len(stage.peak_rates()) > 1
    betas = ", ".join(f"{beta:g}" for beta in found.betas)
    return (
        f"AdamW, peak learning rate{'s' if several else ''} {stage.peak_rates_text()}, "
        f"{'each ' if several else ''}{_schedule(found)}{' of its own' if several else ''}, "
        f"betas {betas}, weight decay {found.weight_decay:g}, gradient clipped at {found.clip:g}"
    )


def _schedule(optimizer: OptimizerSettings) -> str:
    """What happens to the learning rate: 'falling by a cosine to a tenth of it after 715 warm-up steps'."""
    ratio = optimizer.final_ratio
    end = "0" if ratio == 0 else "a tenth of it" if ratio == 0.1 else f"{100 * ratio:g} % of it"
    course = {
        "constant": "constant",
        "linear": f"falling linearly to {end}",
        "cosine": f"falling by a cosine to {end}",
    }[optimizer.schedule]
    return f"{course} after {optimizer.warmup_steps:,} warm-up steps"


def _batch(stage: StageSettings) -> str | None:
    size, passes = getattr(stage, "batch_size", None), getattr(stage, "gradient_accumulation", None)
    if size is None or passes is None:
        return None
    what = "rollouts" if stage.samples_every_step else "sequences"
    return f"{size:,} × {passes:,} accumulated = {size * passes:,} {what} a step"


def _mixture(sources: Sequence[Source]) -> str:
    total = sum(source.weight for source in sources)
    return ", ".join(
        f"{source.source} {100 * source.weight / total:.3g} % ({_origin(source)})" for source in sources
    )


def _origin(source: Source) -> str:
    """Where its texts come from: a data set of the hub, files of another place, or made as they are drawn."""
    if (hub := source.streams()) is not None:
        named = [getattr(source, key, None) for key in ("subset", "revision")]
        return ", ".join([f"streamed from {hub}", *filter(None, named)])
    path = type(source).model_fields.get("path")
    if source.hub_name and (path is None or getattr(source, "path", None) == path.default):
        return source.hub_name
    return f"from {', '.join(source.reads())}" if source.reads() else "generated"


def _data(stage: StageSettings) -> str | None:
    mixtures = stage.mixtures()
    if len(mixtures) == 1:
        return _mixture(next(iter(mixtures.values())))
    return (
        "; ".join(f"{path.split('.')[-2]}: {_mixture(sources)}" for path, sources in mixtures.items()) or None
    )


def _rewards(stage: StageSettings) -> str | None:
    rewards = getattr(stage, "rewards", None)
    if not rewards:
        return None
    return "; ".join(f"{one.reward} × {one.weight:g} ({_pays(one)})" for one in rewards)


def _pays(reward: Reward) -> str:
    """What a component pays for, as its class says, with the settings of its own."""
    says = (getdoc(type(reward)) or "").split("\n")[0].rstrip(".")
    own = [f"{name} {value}" for name, value in reward if name not in ("reward", "weight")]
    return ", ".join(filter(None, (says, *own)))


def _loss(stage: StageSettings) -> str | None:
    if not hasattr(stage, "loss_type"):
        return None
    settings: Any = stage
    high = "" if settings.clip_range_high is None else f" below and {settings.clip_range_high:g} above"
    return ", ".join(
        [
            f"{settings.loss_type}, β {settings.beta:g} on the KL divergence, clip range {settings.clip_range:g}{high}, "
            f"rewards scaled by {settings.scale_rewards}, {settings.iterations} "
            f"pass{'es' if settings.iterations > 1 else ''} over each batch",
            *_variants(settings),
        ]
    )


def _variants(settings: Any) -> Iterator[str]:
    """What the loss has beside that, where it is set otherwise than at first."""
    if settings.beta > 0 and not settings.kl_correction:
        yield "KL term without correction by the probability ratio"
    if settings.importance_sampling == "sequence":
        yield "one probability ratio for each rollout"
    if settings.clip_limit is not None:
        yield f"probability ratio at most {settings.clip_limit:g}"
    if settings.off_policy_limit is not None:
        yield f"rollouts with a negative advantage left out from {settings.off_policy_limit:g} nats off policy on"
    if settings.mask_truncated:
        yield "cut rollouts masked"
    reference, entropy = settings.reference, settings.entropy
    if reference.sync_every is not None:
        yield f"reference moved {100 * reference.sync_share:g} % of the way to the policy every {reference.sync_every:,} steps"
    if entropy.top_share < 1:
        yield f"learning only from the {100 * entropy.top_share:g} % of the tokens with the highest entropy"
    if entropy.bonus or entropy.target is not None:
        yield f"entropy bonus {entropy.bonus:g}{_adapted(entropy)}"


def _adapted(entropy: Any) -> str:
    if entropy.target is None:
        return ""
    return (
        f" while the entropy is at most {entropy.target:g} nats, changed by {entropy.bonus_step:g} a step up to "
        f"{entropy.bonus_limit:g}"
    )


def _limits(stage: StageSettings) -> str | None:
    named = {
        "max_length": "examples up to {:,}",
        "max_new_tokens": "completions up to {:,}",
        "length": "rows of {:,}",
    }
    found = [text.format(value) for name, text in named.items() if (value := getattr(stage, name, None))]
    return ", ".join(found) or None


def _sampling(stage: StageSettings) -> str | None:
    temperature = getattr(stage, "temperature", None)
    if temperature is None:
        return None
    sampling = getattr(stage, "sampling", None)
    narrowed = (
        ""
        if sampling is None or not sampling.narrows
        else ", "
        + ", ".join(
            f"{name} {value:g}" for name, value in sampling if value != getattr(type(sampling)(), name)
        )
    )
    return f"temperature {temperature:g}{narrowed}"


def _precision(stage: StageSettings) -> str | None:
    return getattr(stage, "precision", None)


LINES: Mapping[str, Callable[[StageSettings], str | None]] = {
    "Data": _data,
    "Optimizer": _optimizer,
    "Effective batch": _batch,
    "Token limits": _limits,
    "Sampling": _sampling,
    "Loss": _loss,
    "Rewards and weights": _rewards,
    "Precision": _precision,
}
