"""What a stage's answers may cost, in tokens and in money; counted before anything is sent (no torch).

Answers from the cache count with what they once cost: so every condition, and every resumed run, stops at the same
problem, and no stage ever pays more than its budget.
"""

from dataclasses import dataclass

from training.data.example import Example
from training.teacher import Answer
from training.teacher.config import EndpointSettings

TEMPLATE_TOKENS = 64  # at most, that an endpoint puts around the messages
MILLION = 1_000_000


@dataclass
class Expense:
    """Tokens and money."""

    tokens: int = 0
    money: float = 0.0

    def __add__(self, other: "Expense") -> "Expense":
        return Expense(self.tokens + other.tokens, self.money + other.money)

    def times(self, number: int) -> "Expense":
        """So many of it."""
        return Expense(self.tokens * number, self.money * number)


class Budget:
    """What was used so far, and what may still come of the requests under way."""

    def __init__(self, settings: EndpointSettings, max_new_tokens: int) -> None:
        self.settings, self.max_new_tokens = settings, max_new_tokens
        self.used = Expense()
        self.reserved: dict[tuple[int, int], Expense] = {}  # (problem, sample) → the most that it may take

    def price(self, tokens_in: int, tokens_out: int) -> float:
        """What an answer costs."""
        return (tokens_in * self.settings.price_in + tokens_out * self.settings.price_out) / MILLION

    def most_in(self, question: str) -> int:
        """An upper bound of a prompt's tokens: no tokenizer makes more of a text than it has bytes."""
        return len((self.settings.instructions + question).encode()) + TEMPLATE_TOKENS

    def reserve(self, number: int, problem: Example, samples: int) -> bool:
        """Set aside what the samples of a problem may take at most; False when that is not left."""
        tokens_in = self.most_in(problem.prompt)
        most = Expense(tokens_in + self.max_new_tokens, self.price(tokens_in, self.max_new_tokens))
        wanted = sum(self.reserved.values(), self.used) + most.times(samples)
        tokens, money = self.settings.budget_tokens, self.settings.budget_money
        if (tokens is not None and wanted.tokens > tokens) or (money is not None and wanted.money > money):
            return False
        self.reserved |= {(number, sample): most for sample in range(samples)}
        return True

    def settle(self, number: int, sample: int, answer: Answer) -> None:
        """Replace what was set aside for a sample by what it took."""
        del self.reserved[number, sample]
        self.used += Expense(answer.tokens_in + answer.tokens_out, answer.cost)

    def __str__(self) -> str:
        """`2.50 in money`, `1,000,000 tokens`."""
        limits = {"tokens": self.settings.budget_tokens, "in money": self.settings.budget_money}
        return " and ".join(f"{limit:,} {unit}" for unit, limit in limits.items() if limit is not None)
