"""Serves the provider, with an empty database."""

from __future__ import annotations

import os
import sys
from tempfile import TemporaryDirectory

from werkzeug.serving import run_simple


def main() -> None:
    """Serve until killed."""
    with TemporaryDirectory() as folder:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.support.openid_site.settings", "OPENID_FOLDER": folder}
        import django
        from django.core.management import call_command
        from django.core.wsgi import get_wsgi_application

        django.setup()
        call_command("migrate", verbosity=0)
        run_simple("localhost", int(sys.argv[1]), get_wsgi_application(), threaded=True)


if __name__ == "__main__":
    main()
