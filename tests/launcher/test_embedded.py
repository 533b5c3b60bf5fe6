"""The embedded PostgreSQL and Redis: they start, keep what they were given, and end with whoever started them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from launcher.embedded import EmbeddedPostgres, EmbeddedRedis, ServerFailed
from launcher.embedded.server import EmbeddedServer
from launcher.ports import free_port
from launcher.processes import Birth

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("a folder") / "postgres") as server:
        yield server


def query(url: str, command: str) -> list[tuple[object, ...]]:
    address = url.replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(command)
        return cursor.fetchall() if cursor.description else []


def test_postgres_answers_at_its_address(postgres: EmbeddedPostgres) -> None:
    assert query(postgres.url, "SELECT current_user, current_database()") == [("headrace", "headrace")]


def test_postgres_listens_on_loopback_only_and_wants_the_password(postgres: EmbeddedPostgres) -> None:
    assert query(postgres.url, "SHOW listen_addresses") == [("127.0.0.1",)]
    with pytest.raises(psycopg.OperationalError, match="password"):
        query(postgres.url.replace(postgres.password, "wrong"), "SELECT 1")


def test_no_secret_is_in_a_command_line(postgres: EmbeddedPostgres) -> None:
    assert postgres.password.encode() not in Path(f"/proc/{postgres.pid}/cmdline").read_bytes()


def test_databases_are_made_from_a_template_and_made_once(postgres: EmbeddedPostgres) -> None:
    source = postgres.create_database("a_template")
    query(source, "CREATE TABLE kept (id integer)")
    copy = postgres.create_database("a_copy", template="a_template")
    assert query(copy, "SELECT count(*) FROM kept") == [(0,)]
    query(copy, "INSERT INTO kept VALUES (1)")
    assert postgres.create_database("a_copy") == copy
    assert query(copy, "SELECT count(*) FROM kept") == [(1,)]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_postgres_keeps_its_data_and_its_address_over_a_restart(postgres: EmbeddedPostgres, end: str) -> None:
    url = postgres.url
    query(url, f"CREATE TABLE before_{end} (id integer)")
    getattr(postgres, end)()
    assert postgres.pid is None
    postgres.start()
    assert postgres.url == url
    assert query(url, f"SELECT count(*) FROM before_{end}") == [(0,)]


def test_a_lock_file_with_the_pid_of_a_stranger_does_not_stop_postgres(postgres: EmbeddedPostgres) -> None:
    postgres.kill()
    lock = postgres.data / "postmaster.pid"
    lock.write_text("\n".join([str(os.getpid()), *lock.read_text().splitlines()[1:]]) + "\n")
    postgres.start()
    assert query(postgres.url, "SELECT 1") == [(1,)]


def test_a_second_postgres_on_the_same_directory_is_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(ServerFailed, match=f"PID {postgres.pid}"):
        EmbeddedPostgres(postgres.directory).start()
    assert query(postgres.url, "SELECT 1") == [(1,)]


def test_an_interrupted_first_start_is_made_good_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "half made").touch()
    with EmbeddedPostgres(tmp_path) as server:
        assert query(server.url, "SELECT 1") == [(1,)]


def test_redis_answers_with_its_password_only(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "a folder") as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        stranger = redis.Redis(host="127.0.0.1", port=server.port)
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert (server.directory / "redis.conf").stat().st_mode & 0o777 == 0o600
        assert server.password.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def test_redis_keeps_its_data_and_its_address_over_a_restart(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        server.stop()
        server.start()
        assert client.get("kept") == b"yes"


@pytest.mark.parametrize("kind", [EmbeddedPostgres, EmbeddedRedis])
def test_a_taken_port_is_left_to_its_owner(kind: type[EmbeddedServer], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        taken = owner.getsockname()[1]
        with kind(tmp_path, port=taken) as server:
            assert server.port != taken
            assert str(server.port) in server.url


def test_a_free_port_that_is_wished_for_is_taken(tmp_path: Path) -> None:
    wish = free_port()
    with EmbeddedRedis(tmp_path, port=wish) as server:
        assert server.port == wish


def test_the_servers_end_when_their_starter_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from launcher.embedded import EmbeddedPostgres, EmbeddedRedis\n"
        "servers = [EmbeddedPostgres(sys.argv[1] + '/postgres'), EmbeddedRedis(sys.argv[1] + '/redis')]\n"
        "for server in servers: server.start()\n"
        "print(*(server.pid for server in servers), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as starter:
        assert starter.stdout
        births = [Birth.of(int(pid)) for pid in starter.stdout.readline().split()]
        starter.send_signal(signal.SIGKILL)
    assert len(births) == 2
    deadline = time.monotonic() + 10
    while any(birth and birth.is_alive() for birth in births):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.start()
    server.stop()
    (server.data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServerFailed, match="no_such_setting"):
        server.start()
