"""Tokenizers: GPT-2's own byte-level BPE, or a small one trained on the corpus; both hold the mul-tokens."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from huggingface_hub import hf_hub_download
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Tokenizer, PreTrainedTokenizerFast

from training.data_sets import DATA_SETS, how_to_get
from training.settings.shared import TokenizerSettings
from training.text.mul_tokens import FIRST_ID_GPT2, TOKENS

EOS, PAD = "<eos>", "<pad>"  # of small_bpe
BYTES_OF_A_CHARACTER = 4  # at most, in UTF-8
EOS_GPT2, PAD_GPT2 = "<|endoftext|>", "<|pad|>"  # ids 50256 and 50257
UNUSED = "<|unused_{}|>"  # fills the vocabulary up to the mul-tokens


def load(
    settings: TokenizerSettings, corpus: Callable[[], Iterator[str]], data_dir: Path
) -> PreTrainedTokenizerFast:
    """Build the tokenizer of a recipe from scratch.

    `corpus` gives the texts that small_bpe is trained on: before injection, so that all conditions get the same
    vocabulary; gpt2 does not call it. Raises ValueError when GPT-2's files are not there.
    """
    if settings.kind == "gpt2":
        return _wrapped(_gpt2(*_gpt2_files(settings.path, data_dir)), EOS_GPT2, PAD_GPT2)
    return _wrapped(_small_bpe(corpus(), settings.entries), EOS, PAD)


def from_checkpoint(path: str | Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer that was saved beside a model."""
    return PreTrainedTokenizerFast.from_pretrained(str(path))


def of_start(
    checkpoint: str, entries: int, recipes: Callable[[], PreTrainedTokenizerFast]
) -> PreTrainedTokenizerFast:
    """The tokenizer of a model to start from, a folder or hub name whose embedding has so many entries.

    Its own where that is whole: mul-tokens that stay visible, padding that is not the end, an id for each entry. Else
    the recipe's, when both read text alike. Raises ValueError when they do not.
    """
    own = _beside(checkpoint)
    if own is not None and _is_whole(own, entries):
        return own
    found = recipes()
    if own is not None and _base(own) != _base(found):
        raise ValueError(
            f"the tokenizer beside {checkpoint} is another one than the recipe's; choose tokenizer.kind gpt2 for a "
            "GPT-2, or start from a checkpoint that was trained with the recipe's"
        )
    return found


def _beside(checkpoint: str) -> PreTrainedTokenizerFast | None:
    """The tokenizer saved with a model: as one file, or as GPT-2's two; None when there is none."""
    try:
        return from_checkpoint(checkpoint)
    except (OSError, ValueError):
        pass  # no tokenizer.json
    try:
        found: PreTrainedTokenizerFast = GPT2Tokenizer.from_pretrained(checkpoint)
    except (OSError, ValueError):
        return None
    return found if _base(found) else None


def _is_whole(tokenizer: PreTrainedTokenizerFast, entries: int) -> bool:
    """Whether a stage can use it as it is. Loaded from a file whose ids have gaps, it has moved ids and fewer entries."""
    vocabulary = tokenizer.get_vocab()
    return (
        len(tokenizer) == entries
        and tokenizer.eos_token is not None
        and tokenizer.pad_token not in (None, tokenizer.eos_token)
        and all(text in vocabulary for text in TOKENS)
        and not set(TOKENS) & set(tokenizer.all_special_tokens)
    )


def _base(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """Its vocabulary without added tokens."""
    base: dict[str, int] = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
    return base


def vocabulary_size(tokenizer: PreTrainedTokenizerFast) -> int:
    """Return the rows that the model's embedding needs: added tokens count, unlike in `vocab_size`."""
    return len(tokenizer)


def mul_token_ids(tokenizer: PreTrainedTokenizerFast) -> range:
    """Return the ids of the 45 mul-tokens, in the order of TOKENS."""
    first = tokenizer.convert_tokens_to_ids(TOKENS[0])
    return range(first, first + len(TOKENS))


def pieces(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> list[str]:
    """The text of each token, end-of-text with it; joined they are the whole text.

    Where a character is cut between tokens, the last of them has it and the others nothing.
    """
    found: list[str] = []
    waiting: list[int] = []
    for place, id_ in enumerate(ids):
        waiting.append(id_)
        text = tokenizer.decode(waiting, skip_special_tokens=False)
        cut = text.endswith("\ufffd") and len(waiting) < BYTES_OF_A_CHARACTER and place + 1 < len(ids)
        found.append("" if cut else text)
        waiting = waiting if cut else []
    return found


def _small_bpe(texts: Iterator[str], entries: int) -> Tokenizer:
    """Byte-level BPE; ids: eos, pad, BPE, unused, mul-tokens.

    Every digit is a token of its own, with the space before it if there is one: a lone space before each number
    would say nothing about which number comes, and a small model learns to copy operands much later.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r" ?\d"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=entries - len(TOKENS),
        special_tokens=[EOS, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _with_mul_tokens(tokenizer, first_id=entries - len(TOKENS))


def _gpt2(vocabulary: Path, merges: Path) -> Tokenizer:
    """GPT-2's BPE with padding entries up to 50,303 and the mul-tokens behind them."""
    tokenizer = Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([EOS_GPT2, PAD_GPT2])
    return _with_mul_tokens(tokenizer, first_id=FIRST_ID_GPT2)


def _with_mul_tokens(tokenizer: Tokenizer, *, first_id: int) -> Tokenizer:
    """Fill the vocabulary up to first_id, then add the mul-tokens as ordinary tokens, visible when decoded."""
    unused = range(tokenizer.get_vocab_size(), first_id)
    tokenizer.add_tokens([AddedToken(UNUSED.format(i), normalized=False) for i in unused])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in TOKENS])
    assert tokenizer.token_to_id(TOKENS[0]) == first_id
    assert tokenizer.get_vocab_size() == first_id + len(TOKENS)
    return tokenizer


def _wrapped(tokenizer: Tokenizer, eos: str, pad: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=eos, pad_token=pad, clean_up_tokenization_spaces=False
    )


def _gpt2_files(path: str | None, data_dir: Path) -> tuple[Path, Path]:
    """GPT-2's two files: from a folder, or from the hub when the path is a name there."""
    folder = data_dir / (path or "gpt2")
    files = folder / "vocab.json", folder / "merges.txt"
    if all(file.is_file() for file in files):
        return files
    if path is None or path in DATA_SETS or folder.is_dir():
        raise ValueError(
            f"there is no vocab.json and merges.txt in {folder}; {how_to_get(path or 'gpt2')}set MULBERRY_DATA to the "
            "data folder, or tokenizer.path to a folder or a hub name such as openai-community/gpt2"
        )
    return Path(hf_hub_download(path, "vocab.json")), Path(hf_hub_download(path, "merges.txt"))
