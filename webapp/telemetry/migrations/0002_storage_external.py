from django.db import migrations

COLUMNS = ("steps", "times", "values")


class Migration(migrations.Migration):
    """Chunks are stored as they are: PostgreSQL's default compression made reading them five times slower."""

    dependencies = [("telemetry", "0001_initial")]
    operations = [
        migrations.RunSQL(
            [f'ALTER TABLE telemetry_metricchunk ALTER COLUMN "{name}" SET STORAGE EXTERNAL' for name in COLUMNS],
            [f'ALTER TABLE telemetry_metricchunk ALTER COLUMN "{name}" SET STORAGE EXTENDED' for name in COLUMNS],
        )
    ]
