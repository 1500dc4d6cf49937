"""StageRun, Attempt, Event, Checkpoint, Worker, Queue: the unit of work, who does it, and what became of it."""

from uuid import uuid4

from django.db import models
from django.db.models.functions import Now

from training.process.journal import PREPARING
from training.settings.queue_names import DEFAULT, LONGEST


class State(models.TextChoices):
    """States of a StageRun; the allowed moves stand in lifecycle.py."""

    WAITING = "waiting"  # its parent is not done
    READY = "ready"  # may be claimed
    RUNNING = "running"  # an attempt holds the lease
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


SAID = {State.READY: "queued"}  # of the others the name is the word


def in_words(state: str) -> str:
    """A state as people read it, on pages and in sentences; addresses and the database have its name."""
    return SAID.get(State(state), state) if state in State.values else state.replace("_", " ")


OVER = (State.SUCCEEDED, State.FAILED, State.CANCELLED)  # nothing moves any more, unless a person retries


class Worker(models.Model):
    """A process that takes stage runs from queues."""

    name = models.CharField(max_length=200, unique=True, help_text="celery's node name")
    hostname = models.CharField(max_length=200)
    boot_id = models.CharField(max_length=64)
    pid = models.PositiveIntegerField()
    process_started = models.FloatField(
        help_text="start time of the process, seconds since the machine's boot"
    )
    queues = models.JSONField(default=list)
    devices = models.JSONField(default=list, help_text='torch names: ["cpu:0", "cpu:1"] or ["cuda:0"]')
    version = models.CharField(max_length=100, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True)
    drained_at = models.DateTimeField(null=True, help_text="since then it takes nothing new")
    drained_by = models.CharField(max_length=150, blank=True)
    out_of_service_at = models.DateTimeField(
        null=True, help_text="since then it takes nothing new: a test of its folders failed"
    )
    out_of_service_why = models.TextField(blank=True)
    gpus = models.JSONField(default=list, help_text="name of the GPU at each place: cuda:0 first")
    usage = models.JSONField(default=dict, help_text="workers.usage.Usage as of usage_at")
    usage_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class WorkerLog(models.Model):
    """The last lines of a worker's own log; apart from its row, which is read often."""

    worker = models.OneToOneField(Worker, on_delete=models.CASCADE, related_name="log", primary_key=True)
    text = models.TextField(blank=True)
    sent_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"log of {self.worker_id}"


class Queue(models.Model):
    """What workers take runs from, by name; one without a row here was never paused."""

    name = models.CharField(max_length=100, primary_key=True)
    paused_at = models.DateTimeField(null=True, help_text="since then nothing is taken from it")
    paused_by = models.CharField(max_length=150, blank=True)

    def __str__(self) -> str:
        return self.name


class QueueEvent(models.Model):
    """What a person did to a queue or to a worker: paused, resumed, moved, drained."""

    queue = models.CharField(max_length=100, blank=True)
    experiment = models.ForeignKey(
        "experiments.Experiment", null=True, on_delete=models.CASCADE, related_name="queue_events"
    )
    worker = models.ForeignKey(Worker, null=True, on_delete=models.CASCADE, related_name="queue_events")
    by = models.CharField(max_length=150)
    text = models.TextField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text


def new_key() -> str:
    """A name that no other run has, in whatever database: numbers are given again when an old dump is restored."""
    return uuid4().hex


class StageRun(models.Model):
    """Condition × stage × seed: the unit of work. State moves only through lifecycle.py."""

    experiment = models.ForeignKey("experiments.Experiment", on_delete=models.CASCADE, related_name="runs")
    condition = models.ForeignKey("experiments.Condition", on_delete=models.CASCADE, related_name="runs")
    stage = models.ForeignKey("experiments.Stage", on_delete=models.CASCADE, related_name="runs")
    seed = models.IntegerField()
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    spec = models.JSONField(help_text="training.recipes.recipe.StageSpec")
    identity = models.CharField(
        max_length=64, blank=True, help_text="training.recipes.identity: of equal ones one is computed"
    )
    reused_from = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="reused_by", help_text="what computed it"
    )
    reused_note = models.CharField(
        max_length=200, blank=True, help_text="names that run for good: demo-3 / run 12; empty: not reused"
    )
    key = models.CharField(
        max_length=32,
        default=new_key,
        blank=True,
        help_text="what names it for good in its folders and its checkpoints' manifests; empty: made before runs had one",
    )
    queue = models.CharField(max_length=LONGEST, default=DEFAULT)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempt_number = models.PositiveIntegerField(default=0, help_text="the newest attempt: the fencing token")
    lease_until = models.DateTimeField(null=True, help_text="by the database's clock")
    not_before = models.DateTimeField(null=True, help_text="back-off after a failed attempt")
    cancel_requested_at = models.DateTimeField(null=True)
    planned_steps = models.PositiveBigIntegerField(default=0, help_text="optimizer steps; 0: it has none")
    progress_done = models.PositiveBigIntegerField(default=0)
    progress_total = models.PositiveBigIntegerField(default=0)
    progress_unit = models.CharField(max_length=20, blank=True)
    progress_phase = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True, help_text="why it failed, in one line, and what to do")
    ready_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True, help_text="first attempt")
    finished_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["experiment", "condition__position", "seed", "stage__position"]
        constraints = [
            models.UniqueConstraint(fields=["condition", "stage", "seed"], name="stage_run_once"),
        ]
        indexes = [
            models.Index(fields=["queue", "id"], condition=models.Q(state="ready"), name="stage_run_ready"),
            models.Index(fields=["state"], condition=models.Q(state="running"), name="stage_run_running"),
            models.Index(
                fields=["identity"], condition=models.Q(state="succeeded"), name="stage_run_finished_identity"
            ),
        ]

    @property
    def computed_by(self) -> int:
        """The run that computed what this one has; its own id where it was not reused, or where that run is gone."""
        return self.reused_from_id or self.pk

    @property
    def preparing(self) -> bool:
        """Whether progress is that of making data, which comes before the first step."""
        return self.progress_phase == PREPARING

    def __str__(self) -> str:
        return f"{self.experiment_id}/{self.condition}/{self.stage}/{self.seed}"


class Attempt(models.Model):
    """One execution of a StageRun: a process, a run directory, a journal; number 0: what it took over instead."""

    stage_run = models.ForeignKey(StageRun, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    worker = models.ForeignKey(Worker, null=True, on_delete=models.SET_NULL, related_name="attempts")
    device = models.CharField(max_length=40, blank=True)
    hostname = models.CharField(max_length=200, blank=True)
    boot_id = models.CharField(max_length=64, blank=True)
    pid = models.PositiveIntegerField(null=True, help_text="the training process; leader of its session")
    process_started = models.FloatField(null=True, help_text="seconds since the machine's boot")
    run_dir = models.TextField(blank=True, help_text="spec.json, journal, deadline")
    journal_offset = models.PositiveBigIntegerField(default=0, help_text="bytes ingested: fences ingest")
    journal_seq = models.PositiveBigIntegerField(default=0, help_text="last record ingested")
    journal_hole = models.PositiveBigIntegerField(
        null=True, help_text="first byte that cannot be read: nothing behind it but log lines is taken in"
    )
    first_step = models.PositiveBigIntegerField(
        null=True, help_text="step it resumed at: earlier attempts count up to here"
    )
    code_version = models.CharField(
        max_length=100, null=True, help_text="of the process that computed it; null: not recorded"
    )
    data = models.JSONField(null=True, help_text="what it learnt from: name, revision, content hash, rows")
    examples = models.JSONField(
        null=True, help_text="which examples each part kept, and what is learnt of them: training.data.kept"
    )
    contamination = models.JSONField(
        null=True, help_text="benchmarks' problems in it: journal.ContaminationRow; null: not recorded"
    )
    environment = models.JSONField(
        null=True, help_text="device, threads, processes, versions of libraries; null: not recorded"
    )
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(
        max_length=12,
        blank=True,
        help_text="succeeded, failed, stopped, cancelled, lost, returned, imported, reused, replaced; empty: running",
    )
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["stage_run", "number"]
        constraints = [models.UniqueConstraint(fields=["stage_run", "number"], name="attempt_number_once")]

    def __str__(self) -> str:
        return f"{self.stage_run_id}#{self.number}"


class Event(models.Model):
    """A move of a StageRun, written in the same transaction as the move."""

    stage_run = models.ForeignKey(StageRun, on_delete=models.CASCADE, related_name="events")
    attempt_number = models.PositiveIntegerField(default=0)
    from_state = models.CharField(max_length=10, blank=True)
    to_state = models.CharField(max_length=10)
    text = models.TextField(blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class Checkpoint(models.Model):
    """A saved model; `final` marks the one that children start from."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="checkpoints")
    seq = models.PositiveBigIntegerField(help_text="of its journal record")
    step = models.PositiveBigIntegerField()
    path = models.TextField()
    final = models.BooleanField(default=False)
    manifest_sha256 = models.CharField(max_length=64)
    bytes = models.PositiveBigIntegerField(default=0)
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ["attempt", "seq"]
        constraints = [models.UniqueConstraint(fields=["attempt", "seq"], name="checkpoint_once")]

    def __str__(self) -> str:
        return f"{self.attempt_id} at {self.step}"
