"""Settings that stages share: model, tokenizer, intervention, optimizer, benchmarks (pydantic, no torch)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from training.settings.base import Settings
from training.settings.source import Source
from training.settings.work_estimate import Caution, Unit, Work

GPT2_VOCABULARY = 50_349  # GPT-2's 50,257 entries, padded to 50,304, and the 45 mul-tokens
ABACUS_ROWS = 33  # vectors of abacus positions: 32 digits, and one for what is none


class ModelSettings(Settings):
    """A GPT-2 of any size; the vocabulary comes from the tokenizer."""

    n_layer: int = Field(12, ge=1, description="Transformer blocks")
    n_head: int = Field(12, ge=1, description="Attention heads; must divide n_embd")
    n_embd: int = Field(768, ge=1, description="Width of the hidden states")
    n_positions: int = Field(1024, ge=8, description="Context length in tokens")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout in embeddings, attention and residuals")
    activation: Literal["gelu_pytorch_tanh", "gelu_new", "gelu", "relu"] = Field(
        "gelu_pytorch_tanh", description="MLP activation; gelu_new is the published GPT-2's, slower on CPU"
    )
    initial_std: float = Field(
        0.02,
        gt=0,
        description="Standard deviation of new weights; 0.02 is GPT-2's, a narrow model learns to copy sooner with more",
    )
    positions: Literal["learned", "rope", "none", "abacus"] = Field(
        "learned",
        description="How a token knows its place. learned: GPT-2's table; rope: rotary, in queries and keys; none: by "
        "the causal order alone; abacus: learned, and each digit's index in its number, counted from the first digit",
    )
    memory: bool = Field(
        False,
        description="Read earlier intermediate results (numbers behind = and mul-tokens) by an extra gated attention",
    )
    mul_token_embeddings: Literal["random", "composed"] = Field(
        "random",
        description="New mul-tokens' vectors. random: drawn as all others; composed: the mean of their operands' digits",
    )
    start_from: str | None = Field(
        None,
        description="Folder or hub name of a checkpoint to start from instead of random weights; its size counts, and "
        "a memory or abacus positions are added so that they change nothing at first",
    )

    @property
    def needs_tokenizer(self) -> bool:
        """Whether building the model takes knowing which tokens are digits, results and mul-tokens."""
        return self.positions == "abacus" or self.memory or self.mul_token_embeddings == "composed"  # noqa: S105

    def parameters(self, entries: int) -> int:
        """Weights of the model with a vocabulary of so many entries; the head shares the embedding's.

        Each block has 12 × n_embd² weights in its matrices and 13 × n_embd in biases and norms (Radford et al. 2019).
        """
        width = self.n_embd
        total = entries * width + self.n_layer * (12 * width**2 + 13 * width) + 2 * width
        if self.positions in ("learned", "abacus"):
            total += self.n_positions * width
        if self.positions == "abacus":
            total += ABACUS_ROWS * width
        if self.memory:  # a norm, queries, keys, values, a gate a head, and the way back
            total += 4 * width**2 + 6 * width + (width + 1) * self.n_head
        return total

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "ModelSettings":
        if self.n_embd % self.n_head:
            raise ValueError(f"n_head {self.n_head} does not divide n_embd {self.n_embd}; choose a divisor")
        return self

    @model_validator(mode="after")
    def _rope_turns_pairs(self) -> "ModelSettings":
        if self.positions == "rope" and self.n_embd // self.n_head % 2:
            raise ValueError(
                f"positions rope need an even width per head, not {self.n_embd} / {self.n_head}; choose another n_head"
            )
        return self


class TokenizerSettings(Settings):
    """Which tokens text becomes; both kinds hold the 45 mul-tokens as ordinary added tokens."""

    kind: Literal["small_bpe", "gpt2"] = Field(
        "small_bpe",
        description="small_bpe: byte-level BPE trained on the generated corpus; gpt2: GPT-2's own BPE",
    )
    entries: int = Field(
        648, ge=330, description="Vocabulary size of small_bpe, the reserved and mul-tokens included"
    )
    path: str | None = Field(
        None,
        description="gpt2: folder with vocab.json and merges.txt, or a hub name; relative to the data folder",
    )

    @property
    def vocabulary(self) -> int:
        """Entries, the mul-tokens included."""
        return GPT2_VOCABULARY if self.kind == "gpt2" else self.entries


class MulTokenSettings(Settings):
    """The intervention: multiplication-fact tokens in the training text."""

    inject: bool = Field(False, description="Rewrite single-digit products in training text as mul-tokens")


TextFormat = Literal["plain", "scratchpad"]


class TextSettings(Settings):
    """How solutions are written."""

    format: TextFormat = Field(
        "plain",
        description="plain: as the source has them; scratchpad: the working out before #### between [[ and ]], and only "
        "what stands behind it is read as the answer",
    )


class TextForm(Settings):
    """How one condition writes training text: what of `mul_tokens` and `text` a text depends on."""

    inject: bool = Field(False, description="As mul_tokens.inject")
    format: TextFormat = Field("plain", description="As text.format")


class OptimizerSettings(Settings):
    """AdamW and its schedule."""

    learning_rate: float = Field(..., gt=0, le=1, description="Peak learning rate")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="Shape after warm-up")
    final_ratio: float = Field(
        0.1, ge=0, le=1, description="Learning rate at the end, as a share of the peak (cosine and linear)"
    )
    warmup_steps: int = Field(10, ge=0, description="Steps of linear warm-up")
    betas: tuple[float, float] = Field((0.9, 0.98), description="AdamW's betas")
    weight_decay: float = Field(0.05, ge=0, description="Decoupled weight decay")
    clip: float = Field(1.0, gt=0, description="Largest gradient norm")


class BenchmarkSettings(Settings):
    """One benchmark run after each stage, with everything that makes two results comparable."""

    benchmark: str = Field(..., description="Name in the benchmark registry")
    problems: int | None = Field(None, ge=1, description="First so many problems; empty: all of them")
    max_new_tokens: int = Field(256, ge=1, description="Token limit of a completion")
    batch_size: int = Field(100, ge=1, description="Prompts decoded together")
    decoding: Literal["greedy"] = Field("greedy", description="How the completion is decoded")
    samples: int = Field(
        0,
        ge=0,
        le=1000,
        description="Completions drawn for each problem beside the greedy one, for pass@k; 0: none",
    )
    temperature: float = Field(0.8, gt=0, description="Sampling temperature of these completions")


class SamplingSettings(Settings):
    """What narrows the draw of each token; as set at first, nothing does."""

    top_k: int = Field(0, ge=0, description="Draw from the so many likeliest tokens only; 0: from all")
    top_p: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Draw from the fewest likeliest tokens that hold this share of the probability; 1: from all",
    )
    min_p: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Leave out tokens less likely than this share of the likeliest one's probability; 0: none",
    )
    repetition_penalty: float = Field(
        1.0,
        gt=0,
        description="Above 1, tokens that stand in the prompt or the completion already become less likely; 1: off",
    )

    @property
    def narrows(self) -> bool:
        """Whether any of them is set."""
        return self != type(self)()


Learns = Literal["nothing", "text", "completions", "rewards"]  # what a stage's loss is about


def epochs_text(count: int) -> str:
    """1 → 1 epoch; 3 → 3 epochs."""
    return "1 epoch" if count == 1 else f"{count} epochs"


class CodeChange(NamedTuple):
    """Why a version of the code was raised: what is so from that day on, which leads to another checkpoint."""

    on: str  # 2026-11-30
    why: str  # a sentence's end: rewards read final answers as grader final_number/2


class StageSettings(Settings):
    """What every kind of stage has; a kind's own settings derive from it in training/stages/<kind>/config.py.

    The class variables are what a kind says of itself: pages, queries and the diagnosis go by them, never by its name.
    """

    name: str = Field(
        ...,
        pattern=r"^[a-z][a-z0-9_]*$",
        max_length=40,
        description="Unique in the recipe; small letters, digits, _",
    )
    kind: str
    code_changes: ClassVar[
        tuple[CodeChange, ...]
    ] = ()  # the oldest first: one is added when equal settings lead to another checkpoint
    without_effect: ClassVar[frozenset[str]] = frozenset({"after", "benchmarks"})  # on the checkpoint
    leaves_checkpoint: ClassVar[bool] = True  # of its own
    learns: ClassVar[Learns] = "nothing"
    records_rollouts: ClassVar[bool] = False  # so that pages list them
    samples_every_step: ClassVar[bool] = (
        False  # a step learns from rollouts of its own: an x axis may count them
    )
    has_dynamics: ClassVar[bool] = False  # page and report have a table of where its metrics went
    report_curves: ClassVar[tuple[str, ...]] = ()  # metrics that the report draws over its steps
    unit: ClassVar[Unit] = "tokens"  # what its speed is measured in
    same_speed: ClassVar[tuple[str, ...]] = ()  # settings that must be equal for a measured speed to hold
    utilisation: ClassVar[float] = 0.1  # share of a device's peak arithmetic that training reaches: a guess
    several_processes: ClassVar[bool] = (
        False  # whether its run() shares the work; else the first one does it all
    )
    leaves_out_long: ClassVar[bool] = (
        False  # whether texts are left out by their length as conditions write them
    )
    draws_by: ClassVar[
        tuple[str, ...]
    ] = ()  # settings that decide, with the sources, which examples it keeps
    sections: ClassVar[
        Mapping[str, tuple[str, ...]]
    ] = {}  # heading → settings below it in the form; those that no heading has come first
    after: str | None = Field(
        None,
        description="Stage whose checkpoint this one starts from; left out: the one before it; null: none",
    )
    benchmarks: list[BenchmarkSettings] | None = Field(
        None, description="Benchmarks after this stage; empty: the recipe's"
    )

    def size(self) -> str:
        """How large it is, in a few words for a report."""
        return "–"

    def planned_steps(self) -> int | None:
        """Optimizer steps that the settings alone determine; None where there are none."""
        return None

    def work(self) -> Work:
        """What the stage computes, its benchmarks left out; where texts decide, by their average length."""
        return Work()

    def assumptions(self) -> list[str]:
        """What work() takes for granted, a sentence each."""
        return []

    def cautions(self, accuracy: float | None) -> list[Caution]:
        """What to know before the launch; `accuracy` is its first model's on the primary metric, 0 to 1, if known."""
        return []

    def context_needed(self) -> dict[str, int]:
        """Settings that bound a text, with the tokens of context that each needs at least."""
        return {}

    def mixtures(self) -> Mapping[str, Sequence[Source]]:
        """The mixtures that the stage trains on, each with its dotted path below the stage."""
        return {}

    def drawing(self) -> dict[str, Any]:
        """What decides which examples the stage draws and keeps, beside seed, content of the data and tokenizer."""
        return self.model_dump(mode="json", include={*self.mixtures(), *self.draws_by})

    def models(self) -> Sequence[str]:
        """Folders or hub names of checkpoints that the stage reads beside the one that it starts from."""
        return ()

    def environment(self) -> Sequence[str]:
        """Names of the worker's environment variables that the stage reads; it is given no others."""
        return ()


class TrainingStageSettings(StageSettings):
    """What every stage that trains has."""

    without_effect: ClassVar[frozenset[str]] = StageSettings.without_effect | {
        *("save_every", "log_every"),
        *("evaluate_every", "evaluate_problems", "evaluate_benchmark"),
    }
    sections: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "Evaluation and checkpoints": (
            *("benchmarks", "evaluate_every", "evaluate_problems", "evaluate_benchmark"),
            *("save_every", "log_every"),
        )
    }
    optimizer: OptimizerSettings = Field(..., description="AdamW and its schedule")
    batch_size: int = Field(32, ge=1, description="Sequences in one forward pass")
    gradient_accumulation: int = Field(
        1, ge=1, description="Forward passes in one optimizer step; several devices share them"
    )
    save_every: int = Field(50, ge=1, description="Steps between checkpoints that a resume can start from")
    log_every: int = Field(5, ge=1, description="Steps between metric records")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="Arithmetic of the forward pass")
    evaluate_every: int | None = Field(
        None,
        ge=1,
        description="Steps between greedy evaluations while it trains, on problems that no benchmark asks and this stage "
        "does not learn from; empty: none",
    )
    evaluate_problems: int = Field(
        100, ge=1, description="Problems of such an evaluation, at most as many as the split has"
    )
    evaluate_benchmark: str | None = Field(
        None,
        description="Benchmark whose validation split is asked (of gsm8k, 500 of its training problems); empty: the stage's "
        "first one that has such a split",
    )

    def peak_rates(self) -> Mapping[str, float]:
        """The peak learning rate of each part that has a schedule of its own; one without a name: of the whole stage."""
        return {"": self.optimizer.learning_rate}

    def peak_rates_text(self) -> str:
        """In words: 5e-05; of parts 5e-05 (drills), 2e-05 (gsm8k)."""
        return ", ".join(
            f"{rate:g} ({part})" if part else f"{rate:g}" for part, rate in self.peak_rates().items()
        )
