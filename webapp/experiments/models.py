"""Experiment, Condition, Stage: a recipe that a person launched, frozen; or one that was published, imported."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

if TYPE_CHECKING:
    from training.settings.shared import StageSettings


class Experiment(models.Model):
    """A recipe that a person launched; `recipe` holds the resolved settings and never changes.

    How people keep it in order (title, tags, archive, stars) changes through organising.py alone.
    """

    name = models.SlugField(unique=True, help_text="the recipe's name and a number: demo-3")
    title = models.CharField(max_length=200)
    recipe_name = models.CharField(max_length=100)
    recipe = models.JSONField(
        help_text="the resolved recipe, as training.recipes.recipe.Recipe dumps it; imported: the publication"
    )
    question = models.TextField(blank=True)
    prediction = models.TextField(blank=True)
    primary_metric = models.CharField(max_length=100)
    alpha = models.FloatField(default=0.05)
    seeds = models.JSONField()
    notes = models.TextField(blank=True, help_text="Markdown; see notes.py")
    notes_version = models.PositiveIntegerField(
        default=0, help_text="raised by each edit: refuses a stale one"
    )
    notes_by = models.CharField(max_length=150, blank=True)
    notes_at = models.DateTimeField(null=True)
    queue_place = models.BigIntegerField(
        null=True, help_text="workers take from the lowest first; empty: its id, so the oldest first"
    )
    code_version = models.CharField(max_length=100, blank=True)
    imported = models.BooleanField(
        default=False, help_text="published numbers, counts only: nothing of it ran here"
    )
    origin = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.SET_NULL,
        related_name="offspring",
        help_text="whose settings it has",
    )
    origin_note = models.CharField(
        max_length=200, blank=True, help_text="says so for good: fork of demo-3 at grpo"
    )
    differences = models.JSONField(
        null=True, help_text="from its origin or its recipe: see changed_settings.py; null: not looked yet"
    )
    tags = ArrayField(models.CharField(max_length=40), default=list, help_text="words that people gave it")
    archived_at = models.DateTimeField(null=True, help_text="since then lists and searches leave it out")
    archived_by = models.CharField(max_length=150, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name


class Star(models.Model):
    """An experiment that a person marked for themselves."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="stars")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="stars")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "experiment"], name="star_once")]

    def __str__(self) -> str:
        return f"{self.person_id} ★ {self.experiment_id}"


class ExperimentEvent(models.Model):
    """What a person did to keep an experiment in order: renamed, tagged, starred, archived."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="events")
    by = models.CharField(max_length=150)
    text = models.TextField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text


class Condition(models.Model):
    """What an experiment compares: the recipe with some settings replaced."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="conditions")
    name = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField(help_text="0 is the baseline; decides the colour")
    overrides = models.JSONField(default=dict)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["experiment", "name"], name="condition_name_once")]

    def __str__(self) -> str:
        return self.name


class Stage(models.Model):
    """A step that each condition goes through; stages form a tree by `after`."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="stages")
    name = models.CharField(max_length=100)
    label = models.CharField(max_length=200, blank=True, help_text="what a publication calls it")
    kind = models.CharField(max_length=40)
    position = models.PositiveSmallIntegerField(help_text="order in the recipe")
    after = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="followers")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["experiment", "name"], name="stage_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def settings_class(self) -> "type[StageSettings]":
        """What its kind says of itself: whether it records rollouts, what it learns …"""
        from training import stages  # and with it pydantic, which lists do without

        return stages.kind(self.kind)
