"""Annotations: a label, a comment or both, on one rollout or on one outcome of an evaluation."""

from django.db import models
from django.db.models.functions import Now


class Annotation(models.Model):
    """What one person wrote; each kind of completion has a table of its own, which goes with it."""

    label = models.CharField(max_length=40, blank=True, help_text="a word to find it by")
    text = models.TextField(blank=True)
    by = models.CharField(max_length=150)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.label or self.text[:40]


class RolloutAnnotation(Annotation):
    """Of a rollout."""

    of = models.ForeignKey("telemetry.Rollout", on_delete=models.CASCADE, related_name="annotations")

    class Meta:
        ordering = ["pk"]


class OutcomeAnnotation(Annotation):
    """Of an outcome."""

    of = models.ForeignKey("results.Outcome", on_delete=models.CASCADE, related_name="annotations")

    class Meta:
        ordering = ["pk"]
