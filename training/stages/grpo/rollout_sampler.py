"""Which sampler draws GRPO's rollouts: the set one, or with auto the fastest that can (no torch)."""

from importlib.util import find_spec
from typing import Literal

from training.stages.grpo.config import SamplerName

Chosen = Literal["static_cache", "generate", "vllm"]


def choose(setting: SamplerName, *, device: str, variant: bool) -> tuple[Chosen, str]:
    """Return the sampler and one line saying why it is this one; `variant`: the model is no plain GPT-2.

    Raises ValueError when vllm is set and cannot run here.
    """
    hindrance = without_vllm(device=device, variant=variant)
    if setting == "auto":
        if hindrance is None:
            return "vllm", "rollouts are sampled by vllm (sampler auto: it is installed and there is a GPU)"
        return "static_cache", f"rollouts are sampled by static_cache (sampler auto: not vllm, {hindrance})"
    if setting == "vllm" and hindrance is not None:
        raise ValueError(f"sampler vllm cannot be used: {hindrance}; choose static_cache or auto")
    return setting, f"rollouts are sampled by {setting}, as set"


def without_vllm(*, device: str, variant: bool) -> str | None:
    """Return why vLLM cannot sample here, or None when it can."""
    if variant:
        return "it has no code for this model's positions or memory"
    if not device.startswith("cuda"):
        return f"it needs a GPU and this run is on {device}"
    if find_spec("vllm") is None:
        return "it is not installed (pip install 'trl[vllm]')"
    return None
