from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0007_keys_and_holes")]
    operations = [
        migrations.AddField(
            "worker",
            "out_of_service_at",
            models.DateTimeField(null=True, help_text="since then it takes nothing new: a test of its folders failed"),
        ),
        migrations.AddField("worker", "out_of_service_why", models.TextField(blank=True, default=""), preserve_default=False),
        migrations.AlterField(
            "attempt",
            "outcome",
            models.CharField(
                blank=True,
                help_text="succeeded, failed, stopped, cancelled, lost, returned, imported, reused, replaced; empty: running",
                max_length=12,
            ),
        ),
        migrations.AlterField(
            "worker",
            "process_started",
            models.FloatField(help_text="start time of the process, seconds since the machine's boot"),
        ),
        migrations.AlterField(
            "attempt",
            "process_started",
            models.FloatField(help_text="seconds since the machine's boot", null=True),
        ),
    ]
