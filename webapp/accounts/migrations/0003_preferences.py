import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_saved_views'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Preferences',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='preferences', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('theme', models.CharField(blank=True, choices=[('', 'System'), ('light', 'Light'), ('dark', 'Dark')], default='', max_length=5)),
                ('read_demo_at', models.DateTimeField(help_text="first step: the demo's answer was opened", null=True)),
                ('compared_at', models.DateTimeField(help_text='third step: a comparison of their own was opened', null=True)),
                ('steps_hidden_at', models.DateTimeField(help_text='since then the first steps are not shown', null=True)),
            ],
            options={
                'verbose_name_plural': 'preferences',
            },
        ),
    ]
