"""About how many mul-tokens would be learnt, told before anything runs, from the first examples of each source."""

import json
from itertools import islice

import pytest

from training.data import first_examples, mixture
from training.data.sources.gsm8k import Gsm8kSource
from training.recipes import dose_estimate, recipe as recipes
from training.text.mul_tokens import TOKEN


def estimated(data_dir, *changes, name="smoke"):
    specs = recipes.resolve(recipes.build(recipes.read(name), changes))
    return {one.stage: one for one in dose_estimate.estimates(specs, data_dir)}


def test_stages_that_learn_texts_are_estimated_in_the_conditions_with_mul_tokens(tmp_path):
    found = estimated(tmp_path)
    assert list(found) == ["pretrain", "instruct", "curriculum"]  # GRPO's texts are not known before
    assert all(one.conditions == ("mul_tokens",) and one.per_thousand > 10 for one in found.values())
    assert found["curriculum"].sentence.startswith("curriculum (mul_tokens): about ")
    assert estimated(tmp_path, ("conditions", [{"name": "baseline"}])) == {}
    both = estimated(tmp_path, ("conditions", [{"name": "a"}, {"name": "b"}]), ("mul_tokens.inject", True))
    assert both["pretrain"].conditions == ("a", "b")


def test_it_is_about_what_the_data_hold(data_dir):
    found = estimated(data_dir, name="gsm8k_tiny")["gsm8k_sft"]
    drawn = list(islice(mixture.stream([Gsm8kSource(source="gsm8k")], seed=0, data_dir=data_dir), 400))
    each = sum(len(TOKEN.findall(example.injected().completion)) for example in drawn) / len(drawn)
    assert found.per_thousand == pytest.approx(1000 * each / (Gsm8kSource.completion_tokens + 1), rel=0.3)


def test_data_without_products_have_a_dose_near_none(tmp_path):
    rows = [{"question": f"Who is {i}?", "answer": f"{i} + 1 = {i + 1}\n#### {i + 1}"} for i in range(9)]
    (tmp_path / "gsm8k").mkdir()
    file = tmp_path / "gsm8k" / "train.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    found = estimated(tmp_path, name="gsm8k_tiny")["gsm8k_sft"]
    assert found.near_none
    assert (
        "about 0.0 mul-tokens per 1,000 learnt tokens, so the conditions hardly differ there"
        in found.sentence
    )
    file.write_text(
        json.dumps({"question": "?", "answer": "6*9=54, 6*9=53\n#### 54"})
    )  # changed files are read again
    found = estimated(tmp_path, name="gsm8k_tiny")["gsm8k_sft"]
    assert (found.near_none, found.left) == (False, 0.5)
    assert "50 % of the products stay text" in found.sentence


def test_what_is_not_there_or_large_is_not_looked_at(tmp_path, data_dir, monkeypatch):
    assert estimated(tmp_path, name="gsm8k_tiny")["gsm8k_sft"].sentence == (
        "gsm8k_sft (mul_tokens): not estimated; not looked at: gsm8k"
    )
    monkeypatch.setattr(first_examples, "LARGEST", 1_000)
    assert estimated(data_dir, name="gsm8k_tiny")["gsm8k_sft"].per_thousand is None
