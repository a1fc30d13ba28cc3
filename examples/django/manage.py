"""Django's own commands, for example `uv run python manage.py check --deploy`."""

import os
import sys

from django.core.management import execute_from_command_line

SETTINGS = "myapi.settings"

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    execute_from_command_line(sys.argv)
