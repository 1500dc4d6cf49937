"""What a data source yields."""

import hashlib
from dataclasses import dataclass, field, replace

from training.settings.shared import TextForm
from training.text import scratchpad
from training.text.mul_tokens import TOKEN, inject

PROMPT_FORMAT = "User: {question}\nAssistant:"


def prompt_for(question: str) -> str:
    """Return the prompt of a question."""
    return PROMPT_FORMAT.format(question=question)


def question_in(prompt: str) -> str:
    """Return the question of a prompt that prompt_for made."""
    before, after = PROMPT_FORMAT.split("{question}")
    return prompt.removeprefix(before).removesuffix(after)


@dataclass(frozen=True)
class Turn:
    """One question of a conversation and its answer."""

    prompt: str
    completion: str


@dataclass(frozen=True)
class Example:
    """One training text, split where the model starts to learn; pre-training reads both parts as one text."""

    prompt: str  # never injected, never learnt in SFT; "" for running text
    completion: str  # what SFT learns; end-of-text is added when it is encoded
    answer: str | None = None  # the right final answer, where there is one: what GRPO grades against
    operands_stay: bool = False  # drills: a mul-token stands for the result alone, 7 × 8 = <MUL_7_8_56>
    # turns of the conversation before this one; their completions are learnt too
    earlier: tuple[Turn, ...] = ()
    source: str = field(default="", compare=False)  # the name of the source in the mixture that drew it
    mul_tokens: bool = (
        False  # names of mul-tokens in its completions are tokens; else they are text, as in prompts
    )

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All turns, in order; the last is the example's own prompt and completion."""
        return (*self.earlier, Turn(self.prompt, self.completion))

    @property
    def text(self) -> str:
        """Prompts and completions as one text."""
        return "\n".join(turn.prompt + turn.completion for turn in self.turns)

    @property
    def digest(self) -> bytes:
        """SHA-256 of its text: what it is called, in 32 bytes, as long as no condition has rewritten it."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).digest()

    def written(self, form: TextForm) -> "Example":
        """Return the example as a condition writes it: with mul-tokens, with a scratchpad, or as it is."""
        injected = self.injected() if form.inject else self
        return injected.with_scratchpad() if form.format == "scratchpad" else injected

    def injected(self) -> "Example":
        """Return the example with mul-tokens in its completions; prompts stay as they are.

        So does an example whose text writes a mul-token's name by itself: name and token could not be told apart.
        """
        if not self.mul_tokens and any(TOKEN.search(turn.completion) for turn in self.turns):
            return self
        turns = [
            replace(turn, completion=inject(turn.completion, operands_stay=self.operands_stay))
            for turn in self.turns
        ]
        if tuple(turns) == self.turns:  # the same example, which two conditions then encode once
            return self
        return replace(self, completion=turns[-1].completion, earlier=tuple(turns[:-1]), mul_tokens=True)

    def with_scratchpad(self) -> "Example":
        """Return the example with the working out of its answer between marks; running text stays as it is."""
        return replace(self, completion=scratchpad.wrapped(self.completion)) if self.prompt else self
