from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('results', '0006_outcome_answer_rule'),
    ]

    operations = [
        migrations.AddField(
            model_name='evaluation',
            name='grading',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='0: as it ran; n: graded anew for the nth time, beside the others'),
        ),
        migrations.RemoveConstraint(model_name='evaluation', name='evaluation_once'),
        migrations.AddConstraint(
            model_name='evaluation',
            constraint=models.UniqueConstraint(fields=('attempt', 'seq', 'grading'), name='evaluation_once'),
        ),
    ]
