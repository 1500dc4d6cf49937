"""What a stage was set to, line by line, from its settings: a kind that has a setting has its line, whichever kind it is."""

from collections.abc import Callable, Mapping, Sequence
from inspect import getdoc
from typing import Any

from training.settings.shared import OptimizerSettings, Reward, Source, StageSettings


def _optimizer(stage: StageSettings) -> str | None:
    found = getattr(stage, "optimizer", None)
    if not isinstance(found, OptimizerSettings):
        return None
    after = "" if found.schedule == "constant" else f" to {found.final_ratio:g} of the peak"
    betas = ", ".join(f"{beta:g}" for beta in found.betas)
    return (
        f"AdamW, peak learning rate {found.learning_rate:g}, {found.schedule}{after}, {found.warmup_steps:,} warm-up steps, "
        f"betas {betas}, weight decay {found.weight_decay:g}, gradient clipped at {found.clip:g}"
    )


def _batch(stage: StageSettings) -> str | None:
    size, passes = getattr(stage, "batch_size", None), getattr(stage, "gradient_accumulation", None)
    if size is None or passes is None:
        return None
    what = "rollouts" if stage.samples_every_step else "sequences"
    return f"{size:,} × {passes:,} accumulated = {size * passes:,} {what} a step"


def _mixture(sources: Sequence[Source]) -> str:
    total = sum(source.weight for source in sources)
    return ", ".join(f"{source.source} {100 * source.weight / total:.3g} %" for source in sources)


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
    return (
        f"{settings.loss_type}, β {settings.beta:g} on the KL divergence, clip range {settings.clip_range:g}{high}, "
        f"rewards scaled by {settings.scale_rewards}, {settings.iterations} "
        f"pass{'es' if settings.iterations > 1 else ''} over each batch"
        f"{', cut rollouts masked' if settings.mask_truncated else ''}"
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
