from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0004_rollout_tokens'),
    ]

    operations = [
        migrations.RenameField(model_name='rollout', old_name='answer', new_name='final_answer'),
    ]
