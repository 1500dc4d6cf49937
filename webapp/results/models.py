"""Evaluation and Outcome: a checkpoint on a benchmark, and each of its problems."""

from django.db import models

from training.text.answers import RULES

AS_IT_RAN = 0  # an Evaluation's `grading` when nobody graded it anew
GREEDY = 0  # an Outcome's `sample` when it is none


class Evaluation(models.Model):
    """A checkpoint on a benchmark; complete when it has as many greedy outcomes as problems.

    Graded anew by another version of its grader it is another row, of the same journal record.
    """

    attempt = models.ForeignKey("runs.Attempt", on_delete=models.CASCADE, related_name="evaluations")
    seq = models.PositiveBigIntegerField(help_text="of its journal record")
    key = models.CharField(max_length=100, help_text="names it within the journal")
    benchmark = models.CharField(max_length=100)
    step = models.PositiveBigIntegerField(help_text="of the checkpoint that it ran on")
    problems = models.PositiveIntegerField(help_text="0: imported, and not published")
    published = models.JSONField(
        null=True, help_text="imported: the numbers alone (PublishedResult.numbers), without outcomes"
    )
    settings = models.JSONField(help_text="what two results must share: prompt, decoding, limit, grader …")
    at = models.DateTimeField()

    grading = models.PositiveSmallIntegerField(
        default=AS_IT_RAN,
        db_default=AS_IT_RAN,
        help_text="0: as it ran; n: graded anew for the nth time, beside the others",
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["attempt", "seq", "grading"], name="evaluation_once")]

    def __str__(self) -> str:
        return f"{self.attempt_id} {self.benchmark}"

    @property
    def grader(self) -> str:
        """Its grader's name and version; of published numbers it may not be known."""
        return str(self.settings.get("grader") or "not recorded")


class Outcome(models.Model):
    """A completion of one problem's prompt in an evaluation, with its text: the greedy one, or one of several samples."""

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="outcomes")
    problem = models.CharField(max_length=100, help_text="stable id within the benchmark; forms the pairs")
    sample = models.PositiveSmallIntegerField(
        default=GREEDY,
        db_default=GREEDY,
        help_text="0: the greedy completion, which is what counts; else a sample",
    )
    prompt = models.TextField()
    completion = models.TextField()
    reference = models.TextField()
    final_answer = models.TextField(null=True)
    tokens = models.PositiveIntegerField()
    correct = models.BooleanField()
    mul_tokens = models.PositiveIntegerField()
    repeats = models.BooleanField()
    hit_limit = models.BooleanField()
    labels = models.JSONField(null=True, help_text="groups of problems that it belongs to")
    steps_written = models.PositiveIntegerField(null=True, help_text="equations in the completion")
    steps_right = models.PositiveIntegerField(null=True, help_text="of them, those that hold")
    answer_rule = models.CharField(
        max_length=20, null=True, help_text="how the final answer was found; null: not recorded, or a choice"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["evaluation", "sample", "problem"],  # so that the greedy ones lie together
                include=["correct"],  # pass@k is counted without reading texts
                name="outcome_once",
            )
        ]

    def __str__(self) -> str:
        return self.problem

    @property
    def found_by(self) -> str:
        """How its final answer was found, in words; empty where no rule is recorded."""
        return RULES.get(self.answer_rule or "", "")

    @property
    def number(self) -> str:
        """Its sample's number as text."""
        return str(self.sample)


class KeptCounts(models.Model):
    """How many greedy outcomes an evaluation has, and how many of them are right.

    A trigger of the outcomes' table writes it with every change of them, in its transaction (migration 0005); nothing
    else may. An evaluation that has no outcome yet may have no row.
    """

    evaluation = models.OneToOneField(
        Evaluation, on_delete=models.CASCADE, primary_key=True, related_name="kept_counts"
    )
    counted = models.PositiveIntegerField()
    correct = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.correct} of {self.counted}"


class KeptReading(models.Model):
    """What the diagnosis read from a stage run's records, as long as nothing new came in."""

    stage_run = models.OneToOneField(
        "runs.StageRun", on_delete=models.CASCADE, primary_key=True, related_name="kept_reading"
    )
    made_from = models.CharField(max_length=64, help_text="digest of the journals' ends and of the rules")
    content = models.TextField(help_text="webapp.diagnosis.kept.Reading as JSON; it may hold NaN")

    def __str__(self) -> str:
        return f"reading of {self.stage_run_id}"


class KeptAnswer(models.Model):
    """What an experiment's planned question has come to, as lists show it, as long as nothing new came in."""

    experiment = models.OneToOneField(
        "experiments.Experiment", on_delete=models.CASCADE, primary_key=True, related_name="kept_answer"
    )
    made_from = models.CharField(
        max_length=64, help_text="digest of the journals' ends, the moves and the code"
    )
    content = models.TextField(help_text="webapp.comparison.answers.kept_answers.ExperimentAnswer as JSON")
    delta = models.FloatField(null=True, help_text="of its first contrast, which lists are ordered by")
    reached = models.FloatField(null=True, help_text="the most that a condition reached last: the same")
    read_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"answer of {self.experiment_id}"
