from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('results', '0003_kept_readings'),
    ]

    operations = [
        migrations.RenameField(model_name='outcome', old_name='response', new_name='completion'),
        migrations.RenameField(model_name='outcome', old_name='answer', new_name='final_answer'),
        migrations.AlterField(
            model_name='outcome',
            name='sample',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='0: the greedy completion, which is what counts; else a sample'),
        ),
        migrations.AlterField(
            model_name='outcome',
            name='steps_written',
            field=models.PositiveIntegerField(help_text='equations in the completion', null=True),
        ),
        migrations.SeparateDatabaseAndState(  # the index under another name, not made anew over all outcomes
            database_operations=[
                migrations.RunSQL(
                    'ALTER INDEX response_once RENAME TO outcome_once',
                    'ALTER INDEX outcome_once RENAME TO response_once',
                ),
            ],
            state_operations=[
                migrations.RemoveConstraint(model_name='outcome', name='response_once'),
                migrations.AddConstraint(
                    model_name='outcome',
                    constraint=models.UniqueConstraint(fields=('evaluation', 'sample', 'problem'), include=('correct',), name='outcome_once'),
                ),
            ],
        ),
    ]
