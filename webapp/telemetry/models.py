"""Metric and its chunks, Rollout and its group, LogLine: what training records, keyed by (attempt, seq)."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models


class Metric(models.Model):
    """A named series of points of one attempt."""

    attempt = models.ForeignKey("runs.Attempt", on_delete=models.CASCADE, related_name="metrics")
    name = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["attempt", "name"], name="metric_name_once")]

    def __str__(self) -> str:
        return self.name


class MetricChunk(models.Model):
    """Consecutive points of a metric as little-endian arrays: steps int64, times and values float64."""

    metric = models.ForeignKey(Metric, on_delete=models.CASCADE, related_name="chunks")
    first_seq = models.PositiveBigIntegerField(help_text="journal records that it holds, first and last")
    last_seq = models.PositiveBigIntegerField()
    first_step = models.BigIntegerField()
    last_step = models.BigIntegerField()
    points = models.PositiveIntegerField()
    steps = models.BinaryField()
    times = models.BinaryField(help_text="seconds since the epoch")
    values = models.BinaryField()

    class Meta:
        ordering = ["metric", "first_seq"]
        constraints = [models.UniqueConstraint(fields=["metric", "first_seq"], name="metric_chunk_once")]

    def __str__(self) -> str:
        return f"{self.metric_id} {self.first_step}–{self.last_step}"


class Rollout(models.Model):
    """One sampled completion: in GRPO, of a teacher, or of the model itself in rejection sampling."""

    attempt = models.ForeignKey("runs.Attempt", on_delete=models.CASCADE, related_name="rollouts")
    seq = models.PositiveBigIntegerField(help_text="of its journal record")
    index = models.PositiveIntegerField(help_text="position in the record")
    step = models.PositiveBigIntegerField()
    group = models.PositiveBigIntegerField()
    sampled_at = models.DateTimeField()
    prompt = models.TextField()
    completion = models.TextField()
    reference = models.TextField()
    final_answer = models.TextField(null=True)
    tokens = models.PositiveIntegerField()
    reward = models.FloatField()
    components = models.JSONField()
    advantage = models.FloatField(
        null=True, help_text="null: nothing of the kind is computed, as of a teacher"
    )
    correct = models.BooleanField()
    mul_tokens = models.PositiveIntegerField()
    repeats = models.BooleanField()
    hit_limit = models.BooleanField()
    pieces = ArrayField(
        models.TextField(), null=True, help_text="the text of each token, where probabilities were recorded"
    )
    logprobs = ArrayField(
        models.FloatField(), null=True, help_text="the sampler's log-probability of each, in nats"
    )
    trainer_logprobs = ArrayField(
        models.FloatField(), null=True, help_text="the trainer's, by the weights that sampled"
    )
    entropies = ArrayField(
        models.FloatField(), null=True, help_text="of what each was drawn from, by the trainer, in nats"
    )
    learnt = ArrayField(models.BooleanField(), null=True, help_text="whether the loss counts each")

    class Meta:
        constraints = [
            # what lists are filtered by lies in the index, so that a rare kind among a million is found without the texts
            models.UniqueConstraint(
                fields=["attempt", "seq", "index"],
                include=["id", "step", "reward", "correct", "mul_tokens", "repeats", "hit_limit"],
                name="rollout_once",
            ),
        ]
        indexes = [models.Index(fields=["attempt", "step"], name="rollout_step")]

    def __str__(self) -> str:
        return f"{self.attempt_id}:{self.seq}.{self.index}"


class RolloutGroupQuerySet(models.QuerySet["RolloutGroup"]):
    """What pages ask of groups."""

    def for_lists(self) -> "RolloutGroupQuerySet":
        """With the run that each belongs to."""
        return self.select_related("attempt__stage_run__condition", "attempt__stage_run__stage").defer(
            "attempt__data", "attempt__examples", "attempt__stage_run__spec"
        )


class RolloutGroup(models.Model):
    """The rollouts of one prompt, added up: kept by a trigger of their table, see docs/decisions/068."""

    attempt = models.ForeignKey("runs.Attempt", on_delete=models.CASCADE, related_name="groups")
    step = models.PositiveBigIntegerField()
    group = models.PositiveBigIntegerField()
    first = models.ForeignKey(
        Rollout, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    sampled_at = models.DateTimeField(help_text="when its first rollout was recorded")
    rollouts = models.PositiveIntegerField()
    correct = models.PositiveIntegerField()
    reward = models.FloatField(help_text="mean")
    spread = models.FloatField(help_text="standard deviation of the rewards, by n − 1; 0 of a lone one")
    lowest = models.FloatField(help_text="reward")
    highest = models.FloatField(help_text="reward")
    tokens = models.FloatField(help_text="mean")
    mul_tokens = models.PositiveIntegerField(help_text="rollouts with a mul-token")
    repeats = models.PositiveIntegerField(help_text="rollouts that repeat themselves")
    hit_limit = models.PositiveIntegerField(help_text="rollouts that were cut at the limit")
    prompt_key = models.BigIntegerField(help_text="hash of the prompt")

    objects = RolloutGroupQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["attempt", "step", "group"], name="rollout_group_once")
        ]
        indexes = [
            models.Index(fields=["attempt", "sampled_at", "id"], name="rollout_group_newest"),
            models.Index(
                fields=["prompt_key", "attempt", "step"], include=["correct"], name="rollout_group_prompt"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.attempt_id}: group {self.group} of step {self.step}"

    @property
    def wrong(self) -> int:
        """How many are not right."""
        return self.rollouts - self.correct

    @property
    def solved(self) -> float:
        """The share that is right."""
        return self.correct / self.rollouts

    @property
    def place(self) -> str:
        """Where it stands in a list, as a text that sorts: later ones are larger."""
        return f"{self.sampled_at:%Y%m%d%H%M%S%f}.{self.pk:012d}"


class RolloutText(models.Model):
    """What a rollout's texts are found by; made in the background, see search.py."""

    rollout = models.OneToOneField(Rollout, on_delete=models.CASCADE, primary_key=True, related_name="text")
    words = SearchVectorField()
    cut = models.BooleanField(
        db_default=False, help_text="whether the words past what an index entry holds are left out"
    )

    class Meta:
        indexes = [
            GinIndex(fields=["words"], name="rollout_words"),
            models.Index(fields=["rollout"], condition=models.Q(cut=True), name="rollout_words_cut"),
        ]

    def __str__(self) -> str:
        return f"words of rollout {self.rollout_id}"


class TextIndex(models.Model):
    """How far the texts of an attempt's rollouts can be found."""

    attempt = models.OneToOneField(
        "runs.Attempt", on_delete=models.CASCADE, primary_key=True, related_name="text_index"
    )
    seq = models.PositiveBigIntegerField(default=0, help_text="last journal record that was looked at")
    step = models.PositiveBigIntegerField(default=0, help_text="last step with a rollout in the index")

    def __str__(self) -> str:
        return f"attempt {self.attempt_id} up to step {self.step}"


class LogLine(models.Model):
    """One line of an attempt's log."""

    attempt = models.ForeignKey("runs.Attempt", on_delete=models.CASCADE, related_name="log_lines")
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    level = models.CharField(max_length=10)
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["attempt", "seq"], name="log_line_once")]

    def __str__(self) -> str:
        return self.text


class MeasuredSpeeds(models.Model):
    """What the gallery has asked of earlier runs' speeds on one kind of device, until attempts end that may change it."""

    device = models.CharField(max_length=10, primary_key=True, help_text="cuda or cpu")
    version = models.PositiveIntegerField(help_text="of the way in which speeds are told")
    newest = models.BigIntegerField(default=0, help_text="id of the newest attempt that was looked at")
    unfinished = models.JSONField(default=list, help_text="ids of those that had not ended then")
    shapes = models.JSONField(
        default=list, help_text="kind or benchmark, n_layer and n_embd of all that has succeeded"
    )
    answers = models.JSONField(
        default=list, help_text="pairs: what was asked, and the speed; null: not known"
    )

    def __str__(self) -> str:
        return f"speeds on {self.device}"
