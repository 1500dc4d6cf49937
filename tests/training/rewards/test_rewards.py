"""Each component of the shaped reward, and how they add up."""

import pytest

from training.rewards import OWN, REWARDS, components, total
from training.settings.reward import Reward


def made(name: str, weight: float = 1.0) -> Reward:
    return REWARDS[name](reward=name, weight=weight)


SHAPED_NAMES = ("correct", "partial_credit", "shows_steps", "uses_mul_tokens", "short_response", "repetition")
SHAPED = [OWN[name](reward=name) for name in SHAPED_NAMES]


def score(name: str, completion: str, reference: str = "56", mul_tokens: int = 0) -> float:
    return made(name).score(completion, reference, mul_tokens=mul_tokens)


def test_the_registry_has_the_components_of_the_shaped_reward():
    assert tuple(name for name in OWN if name in SHAPED_NAMES) == SHAPED_NAMES


def test_correct():
    assert score("correct", " 7 × 8 = 56\n#### 56") == 1
    assert score("correct", " <MUL_7_8_56>\n#### 56.0") == 1
    assert score("correct", "#### 55") == 0
    assert score("correct", "") == 0


@pytest.mark.parametrize(
    ("answer", "reference", "credit"),
    [
        ("55", "56", 0.3),
        ("57", "56", 0.3),
        ("61.6", "56", 0.3),
        ("62", "56", 0.0),
        ("56", "56", 0.0),
        ("3", "2", 0.3),
        ("4", "2", 0.0),
        ("-19", "-20", 0.3),
        ("-22", "-20", 0.3),
        ("22", "-20", 0.0),
        ("1", "0", 0.3),
    ],
)
def test_partial_credit_is_for_wrong_answers_within_1_or_10_percent(answer, reference, credit):
    assert score("partial_credit", f"#### {answer}", reference) == credit


def test_partial_credit_needs_a_number():
    assert score("partial_credit", "none") == 0


def test_shows_steps():
    assert score("shows_steps", "7 = 7") == 0.1
    assert score("shows_steps", "#### 7") == 0.1
    assert score("shows_steps", "it is 7") == 0


def test_uses_mul_tokens_counts_generated_ids_and_not_text():
    assert score("uses_mul_tokens", "", mul_tokens=1) == 0.2
    assert score("uses_mul_tokens", "", mul_tokens=9) == 0.2
    assert score("uses_mul_tokens", "<MUL_6_9_54>", mul_tokens=0) == 0


def test_short_response():
    assert score("short_response", "word " * 149) == 0.1
    assert score("short_response", "word " * 150) == 0


def test_repetition_costs():
    assert score("repetition", "a b c " * 3) == -0.3
    assert score("repetition", "a b c " * 2) == 0


def test_a_correct_answer_gets_nothing_else():
    got = components("a b c a b c a b c = 56\n#### 56", "56", mul_tokens=2, rewards=SHAPED)
    assert got == {
        "correct": 1,
        "partial_credit": 0,
        "shows_steps": 0,
        "uses_mul_tokens": 0,
        "short_response": 0,
        "repetition": 0,
    }
    assert total(got) == 1


def test_a_wrong_answer_adds_up_its_components():
    got = components("a b c a b c a b c\n#### 55", "56", mul_tokens=2, rewards=SHAPED)
    assert got == {
        "correct": 0,
        "partial_credit": 0.3,
        "shows_steps": 0.1,
        "uses_mul_tokens": 0.2,
        "short_response": 0.1,
        "repetition": -0.3,
    }
    assert total(got) == pytest.approx(0.4)


def test_weights_multiply_and_a_weight_of_0_does_not_end_the_others():
    got = components(
        "#### 55", "56", mul_tokens=0, rewards=[made("correct", 2.0), made("partial_credit", 0.5)]
    )
    assert got == {"correct": 0, "partial_credit": 0.15}
    assert components("#### 56", "56", mul_tokens=0, rewards=[made("correct", 2.0)]) == {"correct": 2}
    unweighted = components(
        "#### 56", "56", mul_tokens=0, rewards=[made("correct", 0.0), made("shows_steps", 1.0)]
    )
    assert unweighted == {"correct": 0, "shows_steps": 0.1}


def test_a_score_that_is_no_number_is_refused_by_name():
    class LooseReward(Reward):
        """Scores what cannot be added up."""

        reward: str = "loose"

        def score(self, completion: str, reference: str, *, mul_tokens: int) -> float:
            return float("nan")

    with pytest.raises(ValueError, match="reward 'loose' gave nan for the completion '7'; fix its score"):
        components("7", "7", mul_tokens=0, rewards=[LooseReward()])
