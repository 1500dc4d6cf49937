"""What settings are called on a form: in the words of the field, where their names do not say them as they are."""

SPELT = {
    "kl": "KL",
    "vllm": "vLLM",
    "url": "URL",
    "gpu": "GPU",
    "logprobs": "log-probabilities",
    "flops": "FLOP/s",
}
CALLED = {
    "after": "Starts from",
    "alpha": "Significance level α",
    "beta": "KL coefficient β",
    "betas": "Adam’s betas",
    "clip": "Gradient clipping",
    "clip_range": "Clip range ε",
    "clip_range_high": "Upper clip range",
    "data": "Data",
    "entries": "Vocabulary entries",
    "final_ratio": "Final share of the rate",
    "go_threshold": "Go threshold",
    "hub": "Hub data set",
    "initial_std": "Initial standard deviation",
    "inject": "Inject mul-tokens",
    "length": "Tokens a row",
    "log_every": "Log every (steps)",
    "loss_type": "Loss",
    "margin": "Equivalence margin",
    "max_length": "Longest example (tokens)",
    "max_new_tokens": "Max. new tokens",
    "min_p": "Min-p",
    "n_embd": "Width",
    "n_head": "Attention heads",
    "n_layer": "Layers",
    "n_positions": "Context (tokens)",
    "positions": "Position encoding",
    "primary": "Planned question",
    "sampling": "Narrowing the draw",
    "save_every": "Save every (steps)",
    "scale_rewards": "Reward scaling",
    "start_from": "Checkpoint to start from",
    "test": "Paired test",
    "top_k": "Top-k",
    "top_p": "Top-p",
    "warmup_steps": "Warm-up steps",
}


def label(key: str) -> str:
    """The label of a setting: kl_correction → KL correction."""
    if key in CALLED:
        return CALLED[key]
    words = " ".join(SPELT.get(word, word) for word in key.split("_"))
    return words[:1].upper() + words[1:] if key.split("_")[0] not in SPELT else words
