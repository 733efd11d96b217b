"""The schema's migrations, for alembic."""
