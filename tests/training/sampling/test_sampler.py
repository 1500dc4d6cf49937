"""The sampler decodes what transformers' generate decodes, and samples from the model's distribution."""

import copy
import random

import pytest
import torch
from scipy.stats import chisquare
from transformers import GPT2LMHeadModel

from training.architecture.model import build
from training.sampling import decoding
from training.sampling.decoding import Decoding, left_padded
from training.sampling.sampler import Sampler
from training.settings.shared import ModelSettings, SamplingSettings

EOS, PAD, VOCABULARY = 0, 1, 300
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.fixture(scope="module")
def model() -> GPT2LMHeadModel:
    """A small model, trained until it ends some of its texts by itself."""
    settings = ModelSettings(n_layer=2, n_head=2, n_embd=32, n_positions=96, initial_std=0.15)
    built = build(settings, VOCABULARY, eos_id=EOS, pad_id=PAD, seed=0)
    optimizer = torch.optim.AdamW(built.parameters(), lr=3e-3)
    rng = random.Random(0)
    for _ in range(60):
        rows = [[rng.randrange(2, VOCABULARY)] for _ in range(16)]
        for row in rows:  # each token follows from the one before; multiples of 67 end the text
            while len(row) < 24:
                last = row[-1]
                row.append(EOS if last % 67 == 0 else 2 + (last * 7 + len(row) % 3) % (VOCABULARY - 2))
        ids = torch.tensor(rows)
        built(ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return built.eval()


def prompts_of_different_lengths(count: int) -> list[list[int]]:
    rng = random.Random(1)
    return [[rng.randrange(2, VOCABULARY) for _ in range(rng.randrange(1, 60))] for _ in range(count)]


@pytest.mark.parametrize(
    ("device", "replays"), [("cpu", False), ("cpu", True), pytest.param("cuda", True, marks=GPU)]
)
@pytest.mark.parametrize("batch_size", [64, 400])  # 400: enough rows for finished ones to be dropped
def test_greedy_equals_generate_token_for_token(
    model: GPT2LMHeadModel, batch_size: int, device: str, replays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = copy.deepcopy(model).to(device)
    monkeypatch.setattr(decoding, "STRETCH", 16)  # several stretches
    monkeypatch.setattr(decoding, "FEW_STEPS", 4)
    prompts = prompts_of_different_lengths(400)
    samples = Sampler(model, eos_id=EOS, pad_id=PAD, replays=replays).greedy(prompts, 24, batch_size)
    for start in range(0, 400, 100):
        ids, mask = left_padded(prompts[start : start + 100], PAD)
        out = model.generate(
            input_ids=ids.to(device),
            attention_mask=mask.long().to(device),
            max_new_tokens=24,
            do_sample=False,
            pad_token_id=PAD,
        )
        for row, sample in zip(out[:, ids.shape[1] :].tolist(), samples[start : start + 100], strict=True):
            expected = row[: row.index(EOS) + 1] if EOS in row else row
            assert sample.ids == expected
            assert sample.ended == (EOS in row)
    ended = sum(sample.ended for sample in samples)
    assert 20 < ended < 399  # both ways of ending were met


def test_finished_rows_are_dropped(model: GPT2LMHeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    original = Decoding.advance

    def counting(self: Decoding) -> None:
        rows.append(len(self.rows))
        original(self)

    monkeypatch.setattr(Decoding, "advance", counting)
    Sampler(model, eos_id=EOS, pad_id=PAD).greedy(prompts_of_different_lengths(600), 24, 600)
    assert rows[0] == 600
    assert rows[-1] < 600


@pytest.mark.slow
def test_sampled_frequencies_are_the_models_probabilities(model: GPT2LMHeadModel) -> None:
    prompts = [[5, 9, 33], [7], [2, 3, 4, 5, 6, 7, 8, 9]]
    temperature, count = 1.3, 20_000
    generator = torch.Generator().manual_seed(0)
    samples = Sampler(model, eos_id=EOS, pad_id=PAD).sample(
        prompts, group_size=count, temperature=temperature, max_new_tokens=1, generator=generator
    )
    for number, prompt in enumerate(prompts):
        drawn = torch.tensor([s.ids[0] for s in samples[number * count : (number + 1) * count]])
        with torch.no_grad():
            expected = torch.softmax(model(torch.tensor([prompt])).logits[0, -1] / temperature, -1) * count
        found = torch.bincount(drawn, minlength=VOCABULARY).double()
        often = expected >= 5  # the rest goes together, as chi-square asks
        observed = torch.cat([found[often], found[~often].sum()[None]])
        wanted = torch.cat([expected[often], expected[~often].sum()[None]]).double()
        wanted *= count / wanted.sum()  # float32 probabilities do not add up to exactly 1
        assert len(wanted) > 10
        assert chisquare(observed[wanted > 0], wanted[wanted > 0]).pvalue > 1e-3


def test_logprobs_are_those_of_a_forward_pass(model: GPT2LMHeadModel) -> None:
    prompts = prompts_of_different_lengths(12)
    generator = torch.Generator().manual_seed(3)
    samples = Sampler(model, eos_id=EOS, pad_id=PAD).sample(
        prompts, group_size=3, temperature=0.7, max_new_tokens=10, generator=generator
    )
    assert len(samples) == 36
    for number, sample in enumerate(samples):
        prompt = prompts[number // 3]
        ids = torch.tensor([prompt + sample.ids])
        with torch.no_grad():
            logprobs = torch.log_softmax(model(ids).logits[0] / 0.7, -1)
        expected = [logprobs[len(prompt) + i - 1, token].item() for i, token in enumerate(sample.ids)]
        assert sample.logprobs == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("replays", [False, True])
def test_ids_that_are_never_chosen_have_no_share_in_the_others_log_probabilities(
    model: GPT2LMHeadModel, replays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "FEW_STEPS", 4)
    prompts = prompts_of_different_lengths(12)
    never = [PAD, *range(40, 200), 202, VOCABULARY - 1]
    sampler = Sampler(model, eos_id=EOS, pad_id=PAD, never=never, replays=replays)
    greedy = sampler.greedy(prompts, 10, 12)
    drawn = sampler.sample(
        prompts,
        group_size=4,
        temperature=1.5,
        max_new_tokens=10,
        generator=torch.Generator().manual_seed(3),
        sampling=SamplingSettings(top_k=50, repetition_penalty=1.1),
    )
    free = Sampler(model, eos_id=EOS, pad_id=PAD).greedy(prompts, 10, 12)
    assert any(set(sample.ids) & set(never) for sample in free), "the model would have chosen them"
    rows = [*zip(prompts, greedy, strict=True), *((prompts[i // 4], s) for i, s in enumerate(drawn))]
    for number, (prompt, sample) in enumerate(rows):
        assert not set(sample.ids) & set(never)
        with torch.no_grad():
            logits = model(torch.tensor([prompt + sample.ids])).logits[0, len(prompt) - 1 : -1]
        logits[:, never] = -torch.inf
        scored = torch.log_softmax(logits / (1.0 if number < 12 else 1.5), -1)
        expected = [scored[i, token].item() for i, token in enumerate(sample.ids)]
        assert sample.logprobs == pytest.approx(expected, abs=1e-4)


def test_the_same_generator_state_gives_the_same_samples(model: GPT2LMHeadModel) -> None:
    def draw(generator: torch.Generator) -> list[list[int]]:
        sampler = Sampler(model, eos_id=EOS, pad_id=PAD)
        samples = sampler.sample(
            [[5, 6], [7]], group_size=4, temperature=1.0, max_new_tokens=8, generator=generator
        )
        return [sample.ids for sample in samples]

    generator = torch.Generator().manual_seed(1)
    first = draw(generator)
    state = generator.get_state()
    second = draw(generator)
    again = torch.Generator()
    again.set_state(state)
    assert draw(again) == second != first


def test_a_part_gets_what_it_would_have_got_in_the_whole(model: GPT2LMHeadModel) -> None:
    sampler = Sampler(model, eos_id=EOS, pad_id=PAD)
    prompts = prompts_of_different_lengths(4)

    def draw(prompts: list[list[int]], group_size: int, part: tuple[int, int]) -> list[list[int]]:
        samples = sampler.sample(
            prompts,
            group_size=group_size,
            temperature=1.2,
            max_new_tokens=12,
            generator=torch.Generator().manual_seed(5),
            part=part,
        )
        return [sample.ids for sample in samples]

    whole = draw(prompts, 6, (0, 1))
    assert draw(prompts[:2], 6, (0, 2)) + draw(prompts[2:], 6, (1, 2)) == whole
    cut = [prompt for prompt in prompts for _ in range(2)]  # 24 rows in 8 parts, each half a group
    assert [ids for i in range(8) for ids in draw(cut[i : i + 1], 3, (i, 8))] == whole


def test_responses_end_at_the_models_context(model: GPT2LMHeadModel) -> None:
    prompts = [[9] * 90, [9] * 20]
    long, short = Sampler(model, eos_id=EOS, pad_id=PAD).greedy(prompts, 200, 2)
    assert len(long.ids) <= 6
    assert len(short.ids) <= 76
    with pytest.raises(ValueError, match="does not fit the model's context of 96"):
        Sampler(model, eos_id=EOS, pad_id=PAD).greedy([[9] * 96], 5, 1)
