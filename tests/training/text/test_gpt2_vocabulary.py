"""Both conditions on GPT-2's real BPE and GSM8K's real answers: one vocabulary, and mul-tokens in one of them alone."""

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from training.architecture import model
from training.data import encoding, mixture
from training.data.sources.gsm8k import Gsm8kSource
from training.recipes.recipe import build, read, resolve
from training.settings.shared import TextForm
from training.stages.grpo.trainer import Grader
from training.text import mul_tokens, tokenizer
from training.text.reserved import texts_ids
from training.text.tokenizer import mul_token_ids, vocabulary_size

ENCODED = 500
IDS = range(50_304, 50_349)


@pytest.fixture(scope="module")
def gpt2(data_dir: Path) -> PreTrainedTokenizerFast:
    settings = build(read("phase6_grpo_20x")).tokenizer
    return tokenizer.load(settings, lambda: iter(()), data_dir)


def learnt(
    tokens: PreTrainedTokenizerFast, source: Gsm8kSource, *, inject: bool, data_dir: Path
) -> dict[str, list[list[int]]]:
    """GSM8K's first problems as the SFT stage reads them in one condition."""
    drawn = islice(mixture.stream([source], seed=0, data_dir=data_dir), ENCODED)
    forms = [TextForm(inject=inject)]
    return encoding.supervised(tokens, drawn, count=ENCODED, max_length=4096, forms=forms)


def counts(data_dir: Path, problems: int) -> list[int]:
    """Mul-tokens in each of GSM8K's first answers, injected."""
    drawn = mixture.stream([Gsm8kSource(source="gsm8k")], seed=0, data_dir=data_dir)
    return [
        len(mul_tokens.TOKEN.findall(example.injected().completion)) for example in islice(drawn, problems)
    ]


def test_the_answers_hold_the_known_number_of_products(whole_data: Path) -> None:
    found = counts(whole_data, 7473)
    # 1,789 in 1,313 before the ends of sums were read
    assert (sum(found), sum(map(bool, found))) == (1_807, 1_324)


def test_the_answers_have_hardly_fewer_tokens_with_products_as_one(
    gpt2: PreTrainedTokenizerFast, whole_data: Path
) -> None:
    """0.9 % fewer are learnt of GSM8K alone; what an audit called 3.2 % is GSM8K with decompositions (test_kept.py)."""
    drawn = list(islice(mixture.stream([Gsm8kSource(source="gsm8k")], seed=0, data_dir=whole_data), 7473))
    plain, injected = (
        sum(
            len(ids) + 1  # and end-of-text
            for ids in texts_ids(gpt2, [(one.completion, one.mul_tokens) for one in written])
        )
        for written in ([one.written(TextForm(inject=inject)) for one in drawn] for inject in (False, True))
    )
    assert (plain, injected) == (538_579, 533_796)
    assert injected / plain - 1 == pytest.approx(-0.009, abs=5e-4)


def test_gsm8k_has_the_tokens_in_one_condition_and_none_in_the_other(
    gpt2: PreTrainedTokenizerFast, data_dir: Path
) -> None:
    source = Gsm8kSource(source="gsm8k")
    texts = counts(data_dir, ENCODED)
    plain = learnt(gpt2, source, inject=False, data_dir=data_dir)
    injected = learnt(gpt2, source, inject=True, data_dir=data_dir)
    assert not [one for row in plain["input_ids"] for one in row if one in IDS]

    found = Counter(one for row in injected["input_ids"] for one in row if one in IDS)
    assert (
        found.total()
        == sum(mul_tokens.count(row, IDS.start) for row in injected["input_ids"])
        == sum(texts)
        > 0
    )
    assert found == Counter(one for row in injected["labels"] for one in row if one in IDS), "all are learnt"
    for row in [row for row in injected["input_ids"] if mul_tokens.count(row, IDS.start)]:
        text = gpt2.decode(row, skip_special_tokens=True)
        assert len(mul_tokens.TOKEN.findall(text)) == mul_tokens.count(row, IDS.start)
    for before, after in zip(plain["labels"], injected["labels"], strict=True):
        prompt = sum(label == encoding.IGNORED for label in before)
        assert prompt == sum(label == encoding.IGNORED for label in after), "prompts are the same"
        assert before[-1] == after[-1] == gpt2.eos_token_id


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        *((text, 1) for text in ("6*9", "6 × 9", "6 x 9", "6 * 9 = 54", "9*6=54")),
        *((text, 0) for text in ("16 × 9", "6 × 90", "1.6 × 9", "6x9y", "0x9", "6*9=53")),
        ("6*9 and 9 × 6 = 54, but not 16 × 9", 2),
    ],
)
def test_the_programmes_examples_become_ids(gpt2: PreTrainedTokenizerFast, text: str, tokens: int) -> None:
    ids = gpt2.encode(mul_tokens.inject(text))
    assert [one for one in ids if one in IDS] == [50_304 + mul_tokens.TOKENS.index("<MUL_6_9_54>")] * tokens
    assert gpt2.decode(ids, skip_special_tokens=True) == mul_tokens.inject(text)


def test_both_conditions_have_the_published_vocabulary_and_ids(gpt2: PreTrainedTokenizerFast) -> None:
    assert [gpt2.convert_tokens_to_ids(text) for text in mul_tokens.TOKENS] == list(IDS)
    assert mul_token_ids(gpt2) == IDS
    assert not set(IDS) & set(gpt2.all_special_ids)
    changes = [("model.n_layer", 1), ("model.n_embd", 12), ("model.n_head", 1)]
    for spec in resolve(build(read("phase6_grpo_20x"), changes)):
        if spec.parent is not None:
            continue
        ends = {"eos_id": gpt2.eos_token_id, "pad_id": gpt2.pad_token_id}
        built = model.build(spec.model, vocabulary_size(gpt2), seed=spec.seed, **ends)
        assert built.config.vocab_size == built.get_input_embeddings().num_embeddings == 50_349
        assert built.lm_head.out_features == 50_349


def test_generated_tokens_are_counted_from_ids_and_stay_in_the_decoded_text(
    gpt2: PreTrainedTokenizerFast,
) -> None:
    ids = [*gpt2.encode(" 6 × 9 = <MUL_6_9_54>, <MUL_1_1_1>"), gpt2.eos_token_id]
    grpo = next(stage for stage in build(read("phase6_grpo_20x")).stages if stage.kind == "grpo")
    grader = Grader(grpo, IDS.start)
    text = gpt2.decode(ids, skip_special_tokens=True)
    assert text == " 6 × 9 = <MUL_6_9_54>, <MUL_1_1_1>"
    assert grader.count(ids) == 2
    grader(completions=[text], completion_ids=[ids], reference=["55"])
    assert grader.components[0]["uses_mul_tokens"] == 0.2
