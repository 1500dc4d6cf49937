import django.db.models.deletion
from django.db import migrations, models

# What was copied is added to what is there, so that ingest pays for its own rows alone: a group lies in one record of the
# journal or in two. What is changed or deleted, which no part of Mulberry does row by row, is added up anew.
# Rewards are held within what can be squared, so that none that a plug-in invents stops ingest.
HELD = "least(greatest(reward, -1e100), 1e100)"
SUMS = f"""
    INSERT INTO telemetry_rolloutgroup AS kept (attempt_id, step, "group", first_id, sampled_at, rollouts, correct,
        reward, spread, lowest, highest, tokens, mul_tokens, repeats, hit_limit, prompt_key)
    SELECT attempt_id, step, "group", min(id), min(sampled_at), count(*), count(*) FILTER (WHERE correct),
        avg({HELD}), CASE WHEN min({HELD}) = max({HELD}) THEN 0 ELSE stddev_samp({HELD}) END, min({HELD}), max({HELD}), avg(tokens),
        count(*) FILTER (WHERE mul_tokens > 0), count(*) FILTER (WHERE repeats), count(*) FILTER (WHERE hit_limit),
        min(hashtextextended(prompt, 0))
"""
GROUPED = 'GROUP BY attempt_id, step, "group" ORDER BY attempt_id, min(seq), min(index)'
TOUCHED = '(attempt_id, step, "group") IN (SELECT attempt_id, step, "group" FROM {})'
ANEW = f"""
        DELETE FROM telemetry_rolloutgroup WHERE {TOUCHED};
        {SUMS} FROM telemetry_rollout WHERE {TOUCHED} {GROUPED};
"""
KEEP = f"""
CREATE FUNCTION telemetry_keep_groups() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        {SUMS} FROM after {GROUPED}
        ON CONFLICT (attempt_id, step, "group") DO UPDATE SET
            spread = CASE WHEN least(kept.lowest, excluded.lowest) = greatest(kept.highest, excluded.highest) THEN 0 ELSE sqrt((
                kept.spread ^ 2 * (kept.rollouts - 1) + excluded.spread ^ 2 * (excluded.rollouts - 1)
                + (excluded.reward - kept.reward) ^ 2 * kept.rollouts * excluded.rollouts / (kept.rollouts + excluded.rollouts)
            ) / (kept.rollouts + excluded.rollouts - 1)) END,
            reward = (kept.reward * kept.rollouts + excluded.reward * excluded.rollouts) / (kept.rollouts + excluded.rollouts),
            tokens = (kept.tokens * kept.rollouts + excluded.tokens * excluded.rollouts) / (kept.rollouts + excluded.rollouts),
            lowest = least(kept.lowest, excluded.lowest), highest = greatest(kept.highest, excluded.highest),
            rollouts = kept.rollouts + excluded.rollouts, correct = kept.correct + excluded.correct,
            mul_tokens = kept.mul_tokens + excluded.mul_tokens, repeats = kept.repeats + excluded.repeats,
            hit_limit = kept.hit_limit + excluded.hit_limit, prompt_key = least(kept.prompt_key, excluded.prompt_key);
    END IF;
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        {ANEW.format("before", "before")}
    END IF;
    IF TG_OP = 'UPDATE' THEN
        {ANEW.format("after", "after")}
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER telemetry_groups_of_new AFTER INSERT ON telemetry_rollout
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION telemetry_keep_groups();
CREATE TRIGGER telemetry_groups_of_changed AFTER UPDATE ON telemetry_rollout
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION telemetry_keep_groups();
CREATE TRIGGER telemetry_groups_of_gone AFTER DELETE ON telemetry_rollout
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION telemetry_keep_groups();
{SUMS} FROM telemetry_rollout {GROUPED};
"""  # the triggers lock the table until the migration commits, so no rollout comes between them and the first sums
FORGET = """
DROP TRIGGER telemetry_groups_of_new ON telemetry_rollout;
DROP TRIGGER telemetry_groups_of_changed ON telemetry_rollout;
DROP TRIGGER telemetry_groups_of_gone ON telemetry_rollout;
DROP FUNCTION telemetry_keep_groups();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0001_initial'),
        ('telemetry', '0005_final_answers'),
    ]

    operations = [
        migrations.CreateModel(
            name='RolloutGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.PositiveBigIntegerField()),
                ('group', models.PositiveBigIntegerField()),
                ('sampled_at', models.DateTimeField(help_text='when its first rollout was recorded')),
                ('rollouts', models.PositiveIntegerField()),
                ('correct', models.PositiveIntegerField()),
                ('reward', models.FloatField(help_text='mean')),
                ('spread', models.FloatField(help_text='standard deviation of the rewards, by n − 1; 0 of a lone one')),
                ('lowest', models.FloatField(help_text='reward')),
                ('highest', models.FloatField(help_text='reward')),
                ('tokens', models.FloatField(help_text='mean')),
                ('mul_tokens', models.PositiveIntegerField(help_text='rollouts with a mul-token')),
                ('repeats', models.PositiveIntegerField(help_text='rollouts that repeat themselves')),
                ('hit_limit', models.PositiveIntegerField(help_text='rollouts that were cut at the limit')),
                ('prompt_key', models.BigIntegerField(help_text='hash of the prompt')),
                ('attempt', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='groups', to='runs.attempt')),
                ('first', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='telemetry.rollout')),
            ],
            options={
                'indexes': [
                    models.Index(fields=['attempt', 'sampled_at', 'id'], name='rollout_group_newest'),
                    models.Index(fields=['prompt_key', 'attempt', 'step'], include=('correct',), name='rollout_group_prompt'),
                ],
                'constraints': [models.UniqueConstraint(fields=('attempt', 'step', 'group'), name='rollout_group_once')],
            },
        ),
        migrations.RunSQL(KEEP, FORGET),
        migrations.RemoveField(model_name='rollouttext', name='prompt_key'),
    ]
