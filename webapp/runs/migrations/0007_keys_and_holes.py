from django.db import migrations, models

import webapp.runs.models

KEY = {
    "blank": True,
    "help_text": "what names it for good in its folders and its checkpoints' manifests; empty: made before runs had one",
    "max_length": 32,
}


class Migration(migrations.Migration):
    """Runs of before have no key: their folders bear their numbers alone."""

    dependencies = [("runs", "0006_attempt_examples")]
    operations = [
        migrations.AddField("stagerun", "key", models.CharField(default="", **KEY)),
        migrations.AlterField("stagerun", "key", models.CharField(default=webapp.runs.models.new_key, **KEY)),
        migrations.AddField(
            "attempt",
            "journal_hole",
            models.PositiveBigIntegerField(
                null=True,
                help_text="first byte that cannot be read: nothing behind it but log lines is taken in",
            ),
        ),
    ]
