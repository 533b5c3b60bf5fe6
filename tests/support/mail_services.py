"""Services that take mails over HTTP, each with the API that its makers document: SendGrid (v3), Mailgun (v3), Postmark
and SES (v2). Real servers on this machine; what they get they hold to the documentation, and keep."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.mail import parse_mail

KEY = "canary-of-a-provider"
KEY_ID = "AKIAEXAMPLE"
DOMAIN = "shop.example"
REGION = "eu-central-1"

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Taken:
    """A mail as a service understood it."""

    sender: str
    to: list[str]
    cc: list[str]
    bcc: list[str]
    subject: str
    text: str | None
    html: str | None
    reply_to: str | None
    headers: Mapping[str, str]
    mail_id: str | None = None
    attachments: tuple[tuple[str, str, bytes], ...] = ()


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def json(self) -> Any:
        """The parsed body."""
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


@dataclass
class Service:
    """What a service has taken. `answers` are what it says to the next mails, which it does not take; with
    `loses_answers` it takes them and says nothing. `pages` are what else is there to be seen, by whoever comes."""

    handle: Callable[[Service, Asked], Answer]
    config: dict[str, Any]
    kind: str
    url: str = ""
    mails: list[Taken] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    loses_answers: bool = False
    pages: dict[str, bytes] = field(default_factory=dict)
    visited: list[str] = field(default_factory=list)


def _sendgrid(service: Service, asked: Asked) -> Answer:
    if asked.headers.get("authorization") != f"Bearer {KEY}":
        return 401, {"errors": [{"message": "The provided authorization grant is invalid", "field": None}]}
    if (asked.method, asked.path) == ("GET", "/v3/user/profile"):
        return 200, {"company": "The Shop"}
    assert (asked.method, asked.path) == ("POST", "/v3/mail/send")
    if service.answers:
        return service.answers.pop(0)
    said = asked.json
    known = {"personalizations", "from", "reply_to", "subject", "content", "headers", "custom_args", "attachments"}
    assert set(said) <= known
    (to,) = said["personalizations"]
    kinds = [one["type"] for one in said["content"]]
    assert kinds == sorted(kinds, reverse=True), "text/plain comes first"
    contents = {one["type"]: one["value"] for one in said["content"]}
    lists = {name: [one["email"] for one in to.get(name, [])] for name in ("to", "cc", "bcc")}
    everybody = [address for some in lists.values() for address in some]
    assert len(set(everybody)) == len(everybody), "each address once"
    sender = said["from"]
    service.mails.append(
        Taken(
            f"{sender['name']} <{sender['email']}>" if "name" in sender else sender["email"],
            **lists,
            subject=said["subject"],
            text=contents.get("text/plain"),
            html=contents.get("text/html"),
            reply_to=said.get("reply_to", {}).get("email"),
            headers=said["headers"],
            mail_id=said["custom_args"]["mail_id"],
            attachments=_attached(said.get("attachments", ()), "filename", "type", "content"),
        )
    )
    return 202, None


def _mailgun(service: Service, asked: Asked) -> Answer:
    if asked.headers.get("authorization") != "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode():
        return 401, {"message": "Forbidden"}
    if asked.path == f"/v3/domains/{DOMAIN}":
        return 200, {"domain": {"name": DOMAIN, "state": "active"}}
    if asked.path == f"/v3/{DOMAIN}/events":
        (wanted,) = asked.query["message-id"]
        found = [one for one in service.mails if one.headers["Message-ID"] == f"<{wanted}>"]
        return 200, {"items": [{"event": "accepted"} for _ in found]}
    assert (asked.method, asked.path) == ("POST", f"/v3/{DOMAIN}/messages.mime")
    if service.answers:
        return service.answers.pop(0)
    kind = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    form = BytesParser(policy=default).parsebytes(kind + asked.body)
    parts = [(one.get_param("name", header="content-disposition"), one) for one in form.iter_parts()]  # type: ignore[attr-defined]
    to = [str(one.get_content()).strip() for name, one in parts if name == "to"]
    (content,) = (one.get_payload(decode=True) for name, one in parts if name == "message")
    assert b"\n" not in content.replace(b"\r\n", b"")
    message = parse_mail(content)
    service.mails.append(read_mail(message, to))
    return 200, {"id": message["Message-ID"], "message": "Queued. Thank you."}


def _postmark(service: Service, asked: Asked) -> Answer:
    if asked.headers.get("x-postmark-server-token") != KEY:
        return 401, {"ErrorCode": 10, "Message": "The Server Token you provided is not valid."}
    if asked.path == "/server":
        return 200, {"ID": 1, "Name": "The Shop"}
    if asked.path == "/messages/outbound":
        (wanted,) = asked.query["metadata_mail-id"]
        assert {"count", "offset"} <= set(asked.query)
        found = [{"MessageID": "0198"} for one in service.mails if one.mail_id == wanted]
        return 200, {"TotalCount": len(found), "Messages": found}
    assert (asked.method, asked.path) == ("POST", "/email")
    if service.answers:
        return service.answers.pop(0)
    said = asked.json
    service.mails.append(
        Taken(
            said["From"],
            [said["To"]],
            said["Cc"].split(",") if "Cc" in said else [],
            said["Bcc"].split(",") if "Bcc" in said else [],
            said["Subject"],
            said.get("TextBody"),
            said.get("HtmlBody"),
            said.get("ReplyTo"),
            {one["Name"]: one["Value"] for one in said["Headers"]},
            said["Metadata"]["mail-id"],
            _attached(said.get("Attachments", ()), "Name", "ContentType", "Content"),
        )
    )
    return 200, {"To": said["To"], "ErrorCode": 0, "Message": "OK", "MessageID": "0198"}


def _attached(some: Any, name: str, kind: str, content: str) -> tuple[tuple[str, str, bytes], ...]:
    return tuple((one[name], one[kind], base64.b64decode(one[content], validate=True)) for one in some)


def _ses(service: Service, asked: Asked) -> Answer:
    if asked.headers.get("authorization") != _signed(asked):
        return 403, {"__type": "SignatureDoesNotMatchException", "message": "The signature does not match"}
    if asked.path == "/v2/email/account":
        return 200, {"SendingEnabled": True, "SendQuota": {"Max24HourSend": 50_000.0}}
    assert (asked.method, asked.path) == ("POST", "/v2/email/outbound-emails")
    if service.answers:
        return service.answers.pop(0)
    said = asked.json
    to = said["Destination"]
    message = parse_mail(base64.b64decode(said["Content"]["Raw"]["Data"], validate=True))
    service.mails.append(
        read_mail(message, [*to["ToAddresses"], *to.get("CcAddresses", []), *to.get("BccAddresses", [])])
    )
    return 200, {"MessageId": "0100018f"}


def _signed(asked: Asked) -> str:
    """What the `Authorization` header of a request is to be, by AWS' own library."""
    stamp = asked.headers["x-amz-date"]
    kept = {name: asked.headers[name] for name in ("content-type", "host", "x-amz-content-sha256", "x-amz-date")}
    request = AWSRequest(method=asked.method, url=asked.url, data=asked.body, headers=kept)
    request.context["timestamp"] = stamp
    auth = SigV4Auth(Credentials(KEY_ID, KEY), "ses", REGION)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    names = auth.signed_headers(auth.headers_to_sign(request))
    scope = f"{stamp[:8]}/{REGION}/ses/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={names}, Signature={signature}"


def read_mail(message: EmailMessage, envelope: list[str]) -> Taken:
    """Understand a mail as it goes over SMTP; who is on the envelope alone gets it blindly."""
    shown = {name: [one.addr_spec for one in message[name].addresses] if message[name] else [] for name in ("To", "Cc")}
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return Taken(
        str(message["From"]),
        shown["To"],
        shown["Cc"],
        [one for one in envelope if one not in (*shown["To"], *shown["Cc"])],
        str(message["Subject"]),
        text and str(text.get_content()),
        html and str(html.get_content()),
        str(message["Reply-To"]) if message["Reply-To"] else None,
        {name: str(value) for name, value in message.items()},
        attachments=tuple(
            (str(one.get_filename()), one.get_content_type(), one.get_payload(decode=True))
            for one in message.iter_attachments()
        ),
    )


_SERVICES: dict[str, tuple[Callable[[Service, Asked], Answer], dict[str, Any]]] = {
    "sendgrid": (_sendgrid, {"api_key": KEY}),
    "mailgun": (_mailgun, {"api_key": KEY, "domain": DOMAIN}),
    "postmark": (_postmark, {"server_token": KEY}),
    "ses": (_ses, {"aws_access_key_id": KEY_ID, "aws_secret_access_key": KEY, "region": REGION}),
}
KINDS = tuple(_SERVICES)


@contextmanager
def mail_service(kind: str) -> Iterator[Service]:
    """Run a service of a kind; `config` is what it is told of as a provider."""
    handle, config = _SERVICES[kind]
    service = Service(handle, config, kind)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(service))
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler_of(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            if self.command == "GET" and parts.path in service.pages:
                service.visited.append(self.path)
                self._send(200, service.pages[parts.path], "text/plain")
                return
            body = self.rfile.read(int(headers.get("content-length", 0)))
            url = service.url + self.path
            asked = Asked(self.command, parts.path, parse_qs(parts.query), headers, body, url)
            try:
                status, said = service.handle(service, asked)
            except (AssertionError, KeyError, ValueError) as error:
                status, said = 500, {"message": f"not as documented: {error!r}"}
            if service.loses_answers and self.command == "POST":
                self.close_connection = True
                return
            self._send(status, b"" if said is None else json.dumps(said).encode(), "application/json")

        def _send(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if service.kind == "sendgrid" and status == 202:
                self.send_header("X-Message-Id", "14c5d75ce93")
            self.end_headers()
            self.wfile.write(content)

    return Handler
