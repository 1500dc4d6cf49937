"""Metric and its chunks, Rollout, LogLine: what training records, keyed by (attempt, seq)."""

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
    """One sampled completion in GRPO."""

    attempt = models.ForeignKey("runs.Attempt", on_delete=models.CASCADE, related_name="rollouts")
    seq = models.PositiveBigIntegerField(help_text="of its journal record")
    index = models.PositiveIntegerField(help_text="position in the record")
    step = models.PositiveBigIntegerField()
    group = models.PositiveBigIntegerField()
    sampled_at = models.DateTimeField()
    prompt = models.TextField()
    completion = models.TextField()
    reference = models.TextField()
    answer = models.TextField(null=True)
    tokens = models.PositiveIntegerField()
    reward = models.FloatField()
    components = models.JSONField()
    advantage = models.FloatField()
    correct = models.BooleanField()
    mul_tokens = models.PositiveIntegerField()
    repeats = models.BooleanField()
    hit_limit = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["attempt", "seq", "index"], name="rollout_once"),
        ]
        indexes = [models.Index(fields=["attempt", "step"], name="rollout_step")]

    def __str__(self) -> str:
        return f"{self.attempt_id}:{self.seq}.{self.index}"


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
