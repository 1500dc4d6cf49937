import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0007_measured_speeds'),
    ]

    operations = [
        migrations.AddField(
            model_name='rollout',
            name='trainer_logprobs',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), help_text="the trainer's, by the weights that sampled", null=True, size=None),
        ),
        migrations.AddField(
            model_name='rollout',
            name='entropies',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), help_text='of what each was drawn from, by the trainer, in nats', null=True, size=None),
        ),
        migrations.AddField(
            model_name='rollout',
            name='learnt',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.BooleanField(), help_text='whether the loss counts each', null=True, size=None),
        ),
    ]
