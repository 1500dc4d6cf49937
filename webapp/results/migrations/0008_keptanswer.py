import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('experiments', '0004_organising'),
        ('results', '0007_evaluation_grading'),
    ]

    operations = [
        migrations.CreateModel(
            name='KeptAnswer',
            fields=[
                ('experiment', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='kept_answer', serialize=False, to='experiments.experiment')),
                ('made_from', models.CharField(help_text="digest of the journals' ends, the moves and the code", max_length=64)),
                ('content', models.TextField(help_text='webapp.comparison.answers.kept_answers.ExperimentAnswer as JSON')),
                ('delta', models.FloatField(help_text='of its first contrast, which lists are ordered by', null=True)),
                ('reached', models.FloatField(help_text='the most that a condition reached last: the same', null=True)),
                ('read_at', models.DateTimeField(auto_now=True)),
            ],
        ),
    ]
