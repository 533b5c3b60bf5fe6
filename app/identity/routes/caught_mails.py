"""What was sent, for developers."""

from __future__ import annotations

from flask.views import MethodView

from app.http import Blueprint, platform, requires
from app.identity.caught_mails import write_page
from app.kernel.errors import NotFound

caught = Blueprint("mails", description="Mails of a developer's own installation", url_prefix="")


@caught.route("/mails")
class CaughtMails(MethodView):
    """Mails that were kept as files."""

    @caught.raw("text/html")
    @caught.refuses(404)
    @requires("platform:administer", platform=True)
    def get(self) -> str:
        """Show the newest mails of an installation in development that has no mail server, to its administrators alone:
        mails hold what opens accounts; elsewhere there is no such page"""
        folder = platform().mail_folder
        if folder is None:
            raise NotFound(resource_type="page", resource_id="mails")
        return write_page(folder)
