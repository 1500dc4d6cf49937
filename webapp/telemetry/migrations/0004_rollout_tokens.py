import django.contrib.postgres.fields
from django.db import migrations, models

NO_ADVANTAGE = """
UPDATE telemetry_rollout SET advantage = NULL
FROM runs_attempt, runs_stagerun, experiments_stage
WHERE runs_attempt.id = telemetry_rollout.attempt_id AND runs_stagerun.id = runs_attempt.stage_run_id
AND experiments_stage.id = runs_stagerun.stage_id AND experiments_stage.kind IN ('distillation', 'rejection_sampling')
"""


class Migration(migrations.Migration):

    dependencies = [
        ('experiments', '0001_initial'),
        ('runs', '0001_initial'),
        ('telemetry', '0003_rollout_search'),
    ]

    operations = [
        migrations.AddField(
            model_name='rollout',
            name='logprobs',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), help_text="the sampler's log-probability of each, in nats", null=True, size=None),
        ),
        migrations.AddField(
            model_name='rollout',
            name='pieces',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), help_text='the text of each token, where probabilities were recorded', null=True, size=None),
        ),
        migrations.AlterField(
            model_name='rollout',
            name='advantage',
            field=models.FloatField(help_text='null: nothing of the kind is computed, as of a teacher', null=True),
        ),
        migrations.RunSQL(NO_ADVANTAGE, migrations.RunSQL.noop),
    ]
