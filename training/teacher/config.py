"""Settings of a teacher, and of every stage that learns from sampled solutions (no torch)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from training.data.sources import AnySource
from training.settings.base import Settings
from training.settings.errors import error_at
from training.settings.shared import CodeChange, Learns, TrainingStageSettings, epochs_text
from training.settings.source import Source, mean_tokens
from training.settings.work_estimate import Work

INSTRUCTIONS = (
    "Solve the problem step by step in short, plain sentences without markup. Write every calculation as an equation "
    "such as 6 × 9 = 54. The last line is #### and the final number alone."
)


class EndpointSettings(Settings):
    """An OpenAI-compatible endpoint: chat completions, one request a sample."""

    base_url: str | None = Field(
        None, description="Address without /chat/completions, e.g. https://api.example.com/v1"
    )
    model: str | None = Field(None, description="What the endpoint calls the model")
    key_variable: str | None = Field(
        None,
        pattern=r"^MULBERRY_KEY_[A-Z0-9_]+$",
        description="Environment variable of the worker that holds the key, MULBERRY_KEY_…; empty: it needs none",
    )
    instructions: str = Field(INSTRUCTIONS, description="System message; empty: none")
    token_limit: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="Name of max_new_tokens in a request; newer models want the longer one"
    )
    concurrency: int = Field(8, ge=1, le=256, description="Requests at once")
    timeout: float = Field(120.0, gt=0, description="Seconds that one answer may take")
    tries: int = Field(
        8, ge=1, description="Of one request, when it times out, is limited or is answered by an error"
    )
    first_wait: float = Field(
        1.0,
        gt=0,
        description="Seconds before the second try; twice as long before each further one, at most 60",
    )
    longest_wait: float = Field(
        600.0, gt=0, description="Seconds; an endpoint that asks for a longer pause (Retry-After) is given up"
    )
    price_in: float = Field(0.0, ge=0, description="Price of a million input tokens")
    price_out: float = Field(0.0, ge=0, description="Price of a million output tokens")
    budget_tokens: int | None = Field(
        None, ge=1, description="Input and output tokens that the stage's answers may take; empty: any"
    )
    budget_money: float | None = Field(
        None, gt=0, description="What the stage's answers may cost, paid now or before; empty: any"
    )
    when_spent: Literal["fail", "train"] = Field(
        "fail",
        description="When the budget does not reach for all problems: fail, or train on those answered",
    )

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address; write https://host/v1")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "holds more than an address; a key belongs into the variable that key_variable names"
            )
        return url.rstrip("/")

    @model_validator(mode="after")
    def _money_counts_prices(self) -> Self:
        if self.budget_money is not None and not self.price_in + self.price_out:
            raise error_at("budget_money", "never runs out without prices; set price_in and price_out")
        return self


class TeacherSettings(Settings):
    """Who answers the problems."""

    kind: Literal["local", "endpoint"] = Field(
        "local",
        description="local: a checkpoint on this machine; endpoint: a model behind an OpenAI-compatible API",
    )
    checkpoint: str | None = Field(
        None, description="local: folder or hub name of a GPT-2; empty: what this stage itself starts from"
    )
    endpoint: EndpointSettings = Field(EndpointSettings(), description="endpoint: where and how it is asked")

    @model_validator(mode="after")
    def _endpoint_is_named(self) -> Self:
        for name in ("base_url", "model"):
            if self.kind == "endpoint" and not getattr(self.endpoint, name):
                raise error_at(f"endpoint.{name}", "is missing; an endpoint needs it")
        return self


class SolutionSettings(TrainingStageSettings):
    """Sample solutions, keep the right ones, learn them: what distillation and rejection sampling share."""

    code_changes: ClassVar[tuple[CodeChange, ...]] = (
        CodeChange("2026-11-30", "what is kept is what grader final_number/2 finds right"),
    )
    records_rollouts: ClassVar[bool] = True
    learns: ClassVar[Learns] = "completions"
    leaves_out_long: ClassVar[bool] = True
    draws_by: ClassVar[tuple[str, ...]] = ("problems", "max_length")
    same_speed: ClassVar[tuple[str, ...]] = ("precision",)
    data: list[AnySource] = Field(..., min_length=1, description="Sources of problems and their weights")
    problems: int = Field(
        ..., ge=1, description="Different problems with a known answer, at most as many as the sources have"
    )
    samples: int = Field(4, ge=1, description="Completions sampled for each problem")
    keep: int = Field(4, ge=1, description="Right and different completions kept of a problem, at most")
    least_kept: int = Field(1, ge=1, description="With fewer kept completions in all the stage fails")
    temperature: float = Field(0.7, gt=0, le=2, description="Sampling temperature")
    max_new_tokens: int = Field(
        256, ge=1, description="Token limit of a completion; those cut off are not kept"
    )
    sampling_batch: int = Field(32, ge=1, description="Problems that a local model answers together")
    epochs: int = Field(1, ge=1, description="Passes over the kept completions")
    max_length: int = Field(128, ge=8, description="Longest prompt + completion that is kept, in tokens")

    @model_validator(mode="after")
    def _keeps_what_is_sampled(self) -> Self:
        if self.keep > self.samples:
            raise error_at("keep", f"is more than samples, {self.samples}; sample more, or keep fewer")
        return self

    def most_steps(self) -> int:
        """Optimizer steps of one round, when all that may be kept is kept."""
        return self.epochs * -(-self.problems * self.keep // (self.batch_size * self.gradient_accumulation))

    def size(self) -> str:
        """Problems, samples and how many are kept at most."""
        kept = f"{self.keep} of {self.samples} samples kept"
        return f"{self.problems:,} problems, {kept} at most, {epochs_text(self.epochs)}"

    def planned_steps(self) -> int:
        """The most there can be; how many there are shows when the completions are graded."""
        return self.most_steps()

    def work(self) -> Work:
        """Every completion is taken to fill max_new_tokens, and as many to be kept as may be: the most there can be."""
        return self.work_of(rounds=1, generates=True)

    def work_of(self, *, rounds: int, generates: bool) -> Work:
        """The work of so many rounds; an endpoint's own generation is not this machine's."""
        completions = rounds * self.problems * self.samples
        prompt = round(mean_tokens(self.data)[0])
        kept = rounds * self.problems * self.keep * self.epochs
        return Work(
            steps=rounds * self.most_steps(),
            rollouts=completions,
            learnt=kept * min(prompt + self.max_new_tokens, self.max_length),
            scored=rounds * self.problems * prompt if generates else 0,
            generated=completions * self.max_new_tokens if generates else 0,
            decoding_steps=rounds * -(-self.problems // self.sampling_batch) * self.max_new_tokens
            if generates
            else 0,
            kept=completions * (prompt + self.max_new_tokens),
            records=rounds * self.most_steps() // self.log_every,
        )

    def assumptions(self) -> list[str]:
        """How much is kept, and how long it is."""
        return [
            f"{self.name}: every completion is taken to reach its limit of {self.max_new_tokens} tokens, and {self.keep} of "
            f"{self.samples} to be kept; less of either is less work"
        ]

    def context_needed(self) -> dict[str, int]:
        """Prompt and completion stand in it."""
        return {"max_length": self.max_length}

    def mixtures(self) -> Mapping[str, Sequence[Source]]:
        """The one mixture."""
        return {"data": self.data}
