import django.db.models.deletion
from django.db import migrations, models

COUNT = """
    INSERT INTO telemetry_grouptally (attempt_id, step, "group", prompt_key, first, rollouts, correct)
    SELECT r.attempt_id, r.step, r."group", min(t.prompt_key), min(r.id), count(*), count(*) FILTER (WHERE r.correct)
    FROM telemetry_rollouttext t JOIN telemetry_rollout r ON r.id = t.rollout_id
    GROUP BY r.attempt_id, r.step, r."group"
"""


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0006_attempt_examples'),
        ('telemetry', '0005_final_answers'),
    ]

    operations = [
        migrations.CreateModel(
            name='GroupTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.PositiveBigIntegerField()),
                ('group', models.PositiveBigIntegerField()),
                ('prompt_key', models.BigIntegerField(help_text='hash of the prompt, as in RolloutText')),
                ('first', models.BigIntegerField(help_text='id of a rollout of it, by which its page is found')),
                ('rollouts', models.PositiveIntegerField()),
                ('correct', models.PositiveIntegerField()),
                ('attempt', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='group_tallies', to='runs.attempt')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('attempt', 'step', 'group'), include=('prompt_key', 'first', 'rollouts', 'correct'), name='group_tally_once')],
            },
        ),
        # of what is in the index already; later rollouts are counted with their words
        migrations.RunSQL(COUNT, 'SELECT 1'),
    ]
