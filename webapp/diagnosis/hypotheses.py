"""The report's hypotheses A to E: what each changes, and the recipe that tries it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """A next experiment; `recipe` is one of training/recipes/shipped."""

    letter: str
    title: str
    recipe: str
    priority: int  # the report's order


A = Hypothesis("A", "a larger model", "hypothesis_a_medium", 3)
B = Hypothesis("B", "maths-heavy pre-training", "hypothesis_b_math_pretraining", 4)
C = Hypothesis("C", "distillation", "hypothesis_c_distillation", 2)
D = Hypothesis("D", "a simpler task", "hypothesis_d_one_step", 1)
E = Hypothesis("E", "architecture: a scratchpad", "hypothesis_e_scratchpad", 5)
HYPOTHESES = (A, B, C, D, E)
