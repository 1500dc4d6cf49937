import django.db.models.deletion
from django.db import migrations, models

# Changes are added and taken away, never counted anew: so it holds whoever else writes at the same time, and costs as
# much as the rows that were written. Where an evaluation is deleted, its counts may be gone before its outcomes.
KEEP = """
CREATE FUNCTION results_keep_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        UPDATE results_keptcounts AS kept
        SET counted = kept.counted - gone.counted, correct = kept.correct - gone.correct
        FROM (
            SELECT evaluation_id, count(*) AS counted, count(*) FILTER (WHERE correct) AS correct
            FROM before WHERE sample = 0 GROUP BY evaluation_id
        ) AS gone
        WHERE kept.evaluation_id = gone.evaluation_id;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO results_keptcounts AS kept (evaluation_id, counted, correct)
        SELECT evaluation_id, count(*), count(*) FILTER (WHERE correct)
        FROM after WHERE sample = 0 GROUP BY evaluation_id ORDER BY evaluation_id
        ON CONFLICT (evaluation_id) DO UPDATE
        SET counted = kept.counted + excluded.counted, correct = kept.correct + excluded.correct;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER results_counts_of_new AFTER INSERT ON results_outcome
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION results_keep_counts();
CREATE TRIGGER results_counts_of_changed AFTER UPDATE ON results_outcome
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION results_keep_counts();
CREATE TRIGGER results_counts_of_gone AFTER DELETE ON results_outcome
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION results_keep_counts();
INSERT INTO results_keptcounts (evaluation_id, counted, correct)
    SELECT evaluation_id, count(*), count(*) FILTER (WHERE correct)
    FROM results_outcome WHERE sample = 0 GROUP BY evaluation_id;
"""  # the triggers lock the table until the migration commits, so no outcome comes between them and the first count
FORGET = """
DROP TRIGGER results_counts_of_new ON results_outcome;
DROP TRIGGER results_counts_of_changed ON results_outcome;
DROP TRIGGER results_counts_of_gone ON results_outcome;
DROP FUNCTION results_keep_counts();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('results', '0004_completions_and_final_answers'),
    ]

    operations = [
        migrations.CreateModel(
            name='KeptCounts',
            fields=[
                ('evaluation', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='kept_counts', serialize=False, to='results.evaluation')),
                ('counted', models.PositiveIntegerField()),
                ('correct', models.PositiveIntegerField()),
            ],
        ),
        migrations.RunSQL(KEEP, FORGET),
    ]
