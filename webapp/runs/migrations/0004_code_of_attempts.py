from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0003_queues'),
    ]

    operations = [
        migrations.AddField(
            model_name='attempt',
            name='code_version',
            field=models.CharField(help_text='of the process that computed it; null: not recorded', max_length=100, null=True),
        ),
    ]
