"""How the API and the streams are served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from config.declaring import setting


@dataclass(frozen=True)
class ServingSettings:
    """API and streams."""

    host: str = setting("127.0.0.1", "address the API listens on")
    port: int = setting(8000, "port the API listens on")
    public_url: str = setting("http://127.0.0.1:8000", "the base URL clients use")
    web_workers: int = setting(2, "processes of the API")
    web_threads: int = setting(8, "threads of each API process")
    web_connections: int = setting(
        0, "database connections of each API process; 0 is one less than its threads, so that one can always answer"
    )
    web_connection_seconds: float = setting(2.0, "how long a request waits for a free connection before it gets a 503")
    web_statement_seconds: float = setting(10.0, "how long a statement of a request may take before it gets a 503")
    trusted_proxies: int = setting(0, "reverse proxies in front whose X-Forwarded-* headers are believed")
    cors_origins: str = setting("", "origins whose pages may call the API, separated by commas")
    max_body_bytes: int = setting(2 * 1024 * 1024, "largest request body")
    metric_body_bytes: int = setting(
        32 * 1024 * 1024, "largest body of a request that brings samples or series to be scanned"
    )
    stream_socket: Path = setting(Path("run/stream.sock"), "where the API hands open streams to the stream process")
    max_streams: int = setting(20_000, "open streams a stream process accepts")
    max_websockets_per_client: int = setting(10, "open WebSockets of one user or key")
    flower_url: str = setting("", "where operators find Flower; shown by the API, not used otherwise")
    rate_limits: bool = setting(True, "whether requests are limited")
    rate_limit_anonymous: str = setting("1000/hour", "requests of a caller who is not logged in, per address")
    rate_limit_user: str = setting("5000/hour;100/minute", "requests of a user or key")
    rate_limit_login: str = setting("5/15minutes", "logins per address and account")
    rate_limit_register: str = setting("3/hour", "registrations per address")
    rate_limit_mail: str = setting("5/hour", "mails somebody may ask for, per address and account")
    rate_limit_refresh: str = setting(
        "10/minute", "token refreshes per address, and logins by an application's own code or id token"
    )
    rate_limit_client: str = setting(
        "100/hour", "registrations of client applications per address, and logins of users per application and address"
    )
    rate_limit_message: str = setting("1000/hour", "messages of a user or key to rooms")
    rate_limit_runner: str = setting("6000/minute", "requests of a runner")
    rate_limit_webhook: str = setting("1200/minute", "deliveries of code hosts per address")
