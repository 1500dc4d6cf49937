"""GPT-2 of any size and its variants: build, load, save as safetensors, and verify what was saved by its logits."""

from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    GPT2Config,
    GPT2LMHeadModel,
    PretrainedConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from training import architecture
from training.architecture.head import Head
from training.settings.shared import ModelSettings

TOLERANCE = 1e-4  # largest difference of two logits that one set of weights may show


def build(
    settings: ModelSettings,
    vocabulary_size: int,
    *,
    eos_id: int,
    pad_id: int,
    seed: int,
    tokenizer: PreTrainedTokenizerFast | None = None,
) -> GPT2LMHeadModel:
    """Return a model with random weights drawn from the seed, or start_from's with its vocabulary extended.

    The weights depend on the settings, the vocabulary size and the seed only, so that conditions start equal; what a
    variant shares with plain GPT-2 is drawn equal too. The tokenizer is needed by variants that know digits and
    results. Raises ValueError when start_from cannot be loaded, has a larger vocabulary, or other positions.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if settings.start_from is None:
            known = 0
            config = _config(settings, vocabulary_size, eos_id, pad_id)
            model = architecture.build(config, settings.positions, settings.memory)
        else:
            model, known = _started_from(settings, settings.start_from, vocabulary_size)
            for config in (model.config, model.generation_config):
                config.bos_token_id = config.eos_token_id = eos_id
                config.pad_token_id = pad_id
        if tokenizer is not None:
            architecture.know_tokens(model, tokenizer)
            if settings.mul_token_embeddings == "composed":  # noqa: S105 - a token of text
                architecture.compose_mul_tokens(model, tokenizer, known)
        elif settings.needs_tokenizer:
            raise ValueError("this variant of the model needs the tokenizer; give it to build()")
    return _for_training(model)


def entries(path: str | Path) -> int:
    """How many entries the vocabulary of a checkpoint has. Raises ValueError when there is none."""
    found: int = _config_of(path).vocab_size
    return found


def _config_of(path: str | Path) -> PretrainedConfig:
    try:
        return AutoConfig.from_pretrained(path)
    except OSError as error:
        raise _no_model(path, error) from error


def _no_model(path: str | Path, error: OSError) -> ValueError:
    return ValueError(f"there is no model in {path}: {str(error).splitlines()[0]}")


def load(path: str | Path) -> GPT2LMHeadModel:
    """Load a checkpoint folder, or a hub name, in float32, as the variant it is. Raises ValueError when there is none."""
    kind = architecture.class_of(_config_of(path))
    try:
        # float32 always: bf16 is the precision of a forward pass, never of the weights
        model: GPT2LMHeadModel = kind.from_pretrained(path, dtype=torch.float32)
    except OSError as error:
        raise _no_model(path, error) from error
    return _for_training(model)


def save(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write weights (safetensors), configuration and tokenizer in the Hugging Face layout."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def verify(folder: Path, model: GPT2LMHeadModel) -> None:
    """Load a saved checkpoint back and compare its logits with the model's, on fixed random tokens.

    Raises RuntimeError when they differ: an export that lost or turned a weight must not become a result.
    """
    saved = load(folder).to(model.device)
    length = min(model.config.n_positions, 64)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(model.config.vocab_size, (2, length), generator=generator).to(model.device)
    ids = architecture.with_results(model, ids)  # a memory that keeps nothing would not show its weights
    was_training = model.training
    model.eval()
    with torch.no_grad():
        expected = GPT2LMHeadModel.forward(model, ids).logits  # not a trainer's patched forward
        found = saved.eval()(ids).logits
    model.train(was_training)
    difference = (expected - found).abs().max().item()
    if saved.config.vocab_size != model.config.vocab_size or not difference <= TOLERANCE:
        raise RuntimeError(
            f"the checkpoint in {folder} does not reproduce its model: logits differ by up to {difference:g}; "
            "do not use it"
        )


def _for_training(model: GPT2LMHeadModel) -> GPT2LMHeadModel:
    """Name the loss: transformers does not know this class's by its name, and counts its labels wrongly then.

    And give it a head that is fast for any vocabulary.
    """
    model.loss_type = "ForCausalLM"
    model.set_output_embeddings(Head(model.lm_head.weight))
    return model


def _config(settings: ModelSettings, vocabulary_size: int, eos_id: int, pad_id: int) -> GPT2Config:
    return GPT2Config(
        vocab_size=vocabulary_size,
        n_positions=settings.n_positions,
        n_embd=settings.n_embd,
        n_layer=settings.n_layer,
        n_head=settings.n_head,
        activation_function=settings.activation,
        resid_pdrop=settings.dropout,
        embd_pdrop=settings.dropout,
        attn_pdrop=settings.dropout,
        initializer_range=settings.initial_std,
        bos_token_id=eos_id,
        eos_token_id=eos_id,
        pad_token_id=pad_id,
    )


def _started_from(settings: ModelSettings, path: str, vocabulary_size: int) -> tuple[GPT2LMHeadModel, int]:
    """The checkpoint's model, its vocabulary extended, its variant the settings'; and how many entries it had."""
    model = load(path)
    known = model.config.vocab_size
    if known > vocabulary_size:
        raise ValueError(
            f"the model in {path} has {known} entries, the tokenizer {vocabulary_size}; choose its own tokenizer"
        )
    if known < vocabulary_size:
        model.resize_token_embeddings(vocabulary_size, mean_resizing=False)
        with torch.no_grad():
            rows = model.get_input_embeddings().weight
            # resizing leaves new rows nearly equal to each other: they would not learn apart. Around 0 they would be
            # the likeliest of all tokens in a trained model, whose logits are far below 0
            rows[known:].normal_(mean=0.0, std=model.config.initializer_range)
            rows[known:] += rows[:known].mean(0)
    return architecture.extend(model, settings.positions, settings.memory), known
