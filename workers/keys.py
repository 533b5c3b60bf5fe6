"""Keys, by command. `python -m workers.keys rotate` lets a new key sign the access tokens.

Nobody is logged out: the new key is published at once and signs half a minute later; the old ones are believed until
the last of their tokens has expired, and then retired by the hourly pruning.

`python -m workers.keys reseal` brings all that is encrypted under SECRET_KEY, after it has changed: start everything
with the new SECRET_KEY and the one before in SECRET_KEY_OLD, run this, and take SECRET_KEY_OLD away.
"""

from __future__ import annotations

import argparse
import logging

import app.tables
from app.identity import add_signing_key
from app.kernel.crypto import Vault
from app.kernel.opening import open_database
from app.kernel.sealing import reseal_all
from config.logs import set_up_logging
from config.settings import Settings, load_settings

log = logging.getLogger(__name__)

every_room = app.tables


def rotate(settings: Settings) -> None:
    """Make a signing key."""
    database = open_database(settings.database_url, None, pool_size=1)
    with database.transaction() as session:
        kid = add_signing_key(session, Vault(*settings.secret_keys))
    log.info("a new signing key is published and signs soon", extra={"kid": kid})


def reseal(settings: Settings) -> None:
    """Encrypt anew what is not under the newest key."""
    database = open_database(settings.database_url, None, pool_size=1)
    for column, done in reseal_all(database, Vault(*settings.secret_keys)).items():
        counts = {"resealed": done.resealed, "unreadable": done.unreadable}
        log.log(
            logging.WARNING if done.unreadable else logging.INFO, "%s is under the newest key", column, extra=counts
        )


COMMANDS = {"rotate": rotate, "reseal": reseal}


def main() -> None:
    """Do what the command line asks, by the settings of the environment."""
    parser = argparse.ArgumentParser(prog="python -m workers.keys", description="Changes keys.")
    parser.add_argument("command", choices=sorted(COMMANDS))
    command = parser.parse_args().command
    settings = load_settings()
    set_up_logging(settings, "keys")
    COMMANDS[command](settings)


if __name__ == "__main__":
    main()
