import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('experiments', '0003_notes_and_place'),
    ]

    operations = [
        migrations.AddField(
            model_name='experiment',
            name='differences',
            field=models.JSONField(help_text='from its origin or its recipe: see changed_settings.py; null: not looked yet', null=True),
        ),
        migrations.AddField(
            model_name='experiment',
            name='tags',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), default=list, help_text='words that people gave it', size=None),
        ),
        migrations.AddField(
            model_name='experiment',
            name='archived_at',
            field=models.DateTimeField(help_text='since then lists and searches leave it out', null=True),
        ),
        migrations.AddField(
            model_name='experiment',
            name='archived_by',
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.CreateModel(
            name='ExperimentEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('by', models.CharField(max_length=150)),
                ('text', models.TextField()),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='experiments.experiment')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Star',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='stars', to='experiments.experiment')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='stars', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('person', 'experiment'), name='star_once')],
            },
        ),
    ]
