import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('results', '0007_evaluation_grading'),
        ('telemetry', '0005_final_answers'),
    ]

    operations = [
        migrations.CreateModel(
            name='OutcomeAnnotation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('label', models.CharField(blank=True, help_text='a word to find it by', max_length=40)),
                ('text', models.TextField(blank=True)),
                ('by', models.CharField(max_length=150)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('of', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='annotations', to='results.outcome')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='RolloutAnnotation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('label', models.CharField(blank=True, help_text='a word to find it by', max_length=40)),
                ('text', models.TextField(blank=True)),
                ('by', models.CharField(max_length=150)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('of', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='annotations', to='telemetry.rollout')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
    ]
