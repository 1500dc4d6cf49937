from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0006_rollout_groups'),
    ]

    operations = [
        migrations.CreateModel(
            name='MeasuredSpeeds',
            fields=[
                ('device', models.CharField(help_text='cuda or cpu', max_length=10, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(help_text='of the way in which speeds are told')),
                ('newest', models.BigIntegerField(default=0, help_text='id of the newest attempt that was looked at')),
                ('unfinished', models.JSONField(default=list, help_text='ids of those that had not ended then')),
                ('shapes', models.JSONField(default=list, help_text='kind or benchmark, n_layer and n_embd of all that has succeeded')),
                ('answers', models.JSONField(default=list, help_text='pairs: what was asked, and the speed; null: not known')),
            ],
        ),
    ]
