from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('results', '0005_kept_counts'),
    ]

    operations = [
        migrations.AddField(
            model_name='outcome',
            name='answer_rule',
            field=models.CharField(help_text='how the final answer was found; null: not recorded, or a choice', max_length=20, null=True),
        ),
    ]
