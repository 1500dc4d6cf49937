"""Model FLOPs utilisation: what a model must compute for a token, and what a device could at most."""

from transformers import GPT2LMHeadModel

# Peak FLOP/s with dense matrices, as the manufacturer states them: bf16 on tensor cores accumulated in fp32, and fp32
# without TF32, which torch does not use unless told. Datasheets that give figures "with sparsity" are halved.
# The first name that is part of the device's name counts.
PEAK_FLOPS: tuple[tuple[str, dict[str, float]], ...] = (
    ("H200 NVL", {"bf16": 835e12, "fp32": 60e12}),  # nvidia.com, H200 datasheet
    ("H200", {"bf16": 989e12, "fp32": 67e12}),
    ("H100 NVL", {"bf16": 835e12, "fp32": 60e12}),  # nvidia.com, H100 datasheet
    ("H100 PCIe", {"bf16": 756e12, "fp32": 51e12}),
    ("H100", {"bf16": 989e12, "fp32": 67e12}),  # SXM: "NVIDIA H100 80GB HBM3"
    ("A100", {"bf16": 312e12, "fp32": 19.5e12}),  # nvidia.com, A100 datasheet; SXM and PCIe alike
    ("A40", {"bf16": 149.7e12, "fp32": 37.4e12}),  # nvidia.com, A40 datasheet
    ("L40S", {"bf16": 362e12, "fp32": 91.6e12}),  # nvidia.com, L40S datasheet
    ("L4", {"bf16": 121e12, "fp32": 30.3e12}),  # nvidia.com, L4 datasheet
    ("RTX 4090", {"bf16": 165.2e12, "fp32": 82.6e12}),  # NVIDIA Ada GPU architecture, appendix A
    ("RTX 3090", {"bf16": 71e12, "fp32": 35.6e12}),  # NVIDIA Ampere GA102 GPU architecture, table 2
)


OTHER = (" Laptop ", " MIG ", " 4090 D ")  # parts and slower versions of the devices above


def peak(device_name: str, precision: str) -> float | None:
    """A device's peak FLOP/s by its name; None when it is not in the table."""
    words = f" {device_name.replace('-', ' ')} "
    if any(other in words for other in OTHER):
        return None
    return next((flops[precision] for name, flops in PEAK_FLOPS if f" {name} " in words), None)


def of_a_token(model: GPT2LMHeadModel, length: int) -> float:
    """FLOPs of training on one token in rows of `length`, forward and backward.

    Six for each parameter, position embeddings apart, and 12 × layers × width × length for attention (Chowdhery et al.,
    PaLM, 2022, appendix B). What is computed twice or left out (recomputation, causal masks) does not count.
    """
    table = getattr(model.transformer.wpe, "weight", None)  # rotary or no positions have none
    positions = 0 if table is None else int(table.numel())
    attention = 12 * model.config.n_layer * model.config.n_embd * length
    return float(6 * (model.num_parameters() - positions) + attention)
