"""The log on disk: tables, migrations, runs."""
