"""The report's hypotheses A to E: what each changes and why, what it takes, and the recipe that tries it."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer


@dataclass(frozen=True)
class Hypothesis:
    """A next experiment; recipes are those of training/recipes/shipped. Reasons, options and risks are the report's."""

    letter: str
    title: str
    recipe: str
    priority: int  # the report's order
    rationale: str
    options: str
    effort: Literal["low", "medium", "high"]
    effort_reason: str
    risk: str
    other_recipes: tuple[str, ...] = ()  # that try a part of it, or come before it


A = Hypothesis(
    "A",
    "a larger model",
    "hypothesis_a_medium",
    3,
    rationale="A larger model has more capacity for reasoning; GPT-2 Medium (355M) has three times the parameters.",
    options="The same stages at another size; or a published checkpoint to start from (model.start_from).",
    effort="medium",
    effort_reason="pre-training is run again",
    risk="355M parameters are few, too, and may not be enough.",
)
B = Hypothesis(
    "B",
    "maths-heavy pre-training",
    "hypothesis_b_math_pretraining",
    4,
    rationale="Web text has little mathematics; a corpus that has more may teach arithmetic before fine-tuning asks for it.",
    options="OpenWebMath, Proof-Pile, or made statements and problems in a mixture.",
    effort="high",
    effort_reason="another pre-training corpus is prepared and learnt",
    risk="It may take more than 10 billion tokens to see an effect.",
)
C = Hypothesis(
    "C",
    "distillation",
    "hypothesis_c_distillation",
    2,
    rationale="A stronger model's solutions teach whole ways of solving, which GRPO can only choose among.",
    options=(
        "100,000 or more solutions of a teacher by an endpoint or a checkpoint; problems whose solutions are published "
        "(TinyGSM); maths within the instruction mixture. Then GRPO from there."
    ),
    effort="medium",
    effort_reason="a teacher's solutions cost money or time; training is simple",
    risk="A small model may copy the form of solutions without computing them.",
    other_recipes=("tinygsm_100k", "tinygsm_1m", "sft_bridge"),
)
D = Hypothesis(
    "D",
    "a simpler task",
    "hypothesis_d_one_step",
    1,
    rationale="GSM8K takes two to eight steps; one step may be within reach, and shows whether the intervention helps at all.",
    options=(
        "One-step multiplication, with other operands or phrasings than were learnt. First of all, without any training, "
        "the checkpoints that there are."
    ),
    effort="low",
    effort_reason="its problems are made here, and training is short; it starts from published checkpoints, which are fetched once",
    risk="It does not answer the question about GSM8K itself.",
    other_recipes=("evaluate_existing_one_step",),
)
E = Hypothesis(
    "E",
    "architecture: a scratchpad",
    "hypothesis_e_scratchpad",
    5,
    rationale="Plain GPT-2 may suit arithmetic badly: it has no place for intermediate results.",
    options="A scratchpad in the text, a memory of results, positions that know a digit's place.",
    effort="medium",
    effort_reason=(
        "each part is a setting here, and its conditions are fine-tuned from published checkpoints; positions that GPT-2 "
        "was not trained with would need a pre-training"
    ),
    risk="New parts have settings of their own; a failure may be one of these.",
    other_recipes=("hypothesis_e_memory", "hypothesis_e_number_positions"),
)
HYPOTHESES = (A, B, C, D, E)


def _by_letter(written: Any) -> Any:
    return next((one for one in HYPOTHESES if one.letter == written), written)


WrittenHypothesis = Annotated[
    Hypothesis | None, BeforeValidator(_by_letter), PlainSerializer(lambda one: one and one.letter)
]  # as kept
