from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0004_code_of_attempts'),
    ]

    operations = [
        migrations.AddField(
            model_name='attempt',
            name='contamination',
            field=models.JSONField(help_text="benchmarks' problems in it: journal.ContaminationRow; null: not recorded", null=True),
        ),
        migrations.AddField(
            model_name='attempt',
            name='environment',
            field=models.JSONField(help_text='device, threads, processes, versions of libraries; null: not recorded', null=True),
        ),
    ]
