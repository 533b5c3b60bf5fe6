"""The blob store keeps what it is given, whole or not at all, and nothing outside its own place."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import pytest
from flask import Flask

from app.http.blobs import send_blob
from app.kernel.store import BLOCK, BlobMissing, BlobStore, StoreAway


@pytest.fixture(params=["file", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "s3":
        return BlobStore(f"s3://{request.getfixturevalue('bucket')}/{uuid4().hex}")
    addresses = {"file": f"file://{tmp_path}/store", "memory": f"memory://{uuid4().hex}"}
    return BlobStore(addresses[request.param])


def test_what_is_put_is_read_again(store: BlobStore) -> None:
    store.put("run/1/log", b"hello")
    assert store.read("run/1/log") == b"hello"


def test_a_file_is_stored_in_one_reading(store: BlobStore, tmp_path: Path) -> None:
    content = bytes(range(256)) * (BLOCK // 128)
    (tmp_path / "artifact").write_bytes(content)
    stored = store.put_file("a/artifact", tmp_path / "artifact")
    assert (stored.size, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert store.read("a/artifact") == content


def test_a_part_of_a_blob_can_be_read(store: BlobStore) -> None:
    store.put("a", b"0123456789")
    with store.open("a") as blob:
        blob.seek(3)
        assert blob.read(4) == b"3456"


def test_what_is_not_written_to_its_end_is_not_stored(bucket: str) -> None:
    store = BlobStore(f"s3://{bucket}/{uuid4().hex}")

    def write_half() -> None:
        with store._writing("a") as target:
            target.write(b"half")
            raise LookupError

    with pytest.raises(LookupError):
        write_half()
    with pytest.raises(BlobMissing):
        store.read("a")


def test_a_store_that_refuses_is_away(bucket: str) -> None:
    with pytest.raises(StoreAway):
        BlobStore(f"s3://no-{bucket}/x").put("a", b"x")


def test_a_download_may_ask_for_a_part(store: BlobStore) -> None:
    store.put("a", b"0123456789")
    with Flask("downloads").test_request_context(headers={"Range": "bytes=3-6"}):
        part = send_blob(store, "a", name="a.txt", size=10, etag="e")
        assert (part.status_code, part.headers["Content-Range"]) == (206, "bytes 3-6/10")
        assert part.get_data() == b"3456"
        part.close()


def test_a_blob_put_again_is_replaced(store: BlobStore) -> None:
    store.put("a", b"longer than the next")
    store.put("a", b"next")
    assert store.read("a") == b"next"


def test_everything_under_a_prefix_is_deleted_and_nothing_else(store: BlobStore) -> None:
    for key in ("run/1/a", "run/1/b/c", "run/10/a"):
        store.put(key, b"x")
    store.delete("run/1")
    store.delete("run/1")
    with pytest.raises(BlobMissing):
        store.read("run/1/b/c")
    assert store.read("run/10/a") == b"x"


def test_a_key_that_was_never_put_is_missing(store: BlobStore) -> None:
    with pytest.raises(BlobMissing):
        store.read("no/such")


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../out", "a/../../out", "a//b", "a/", ".hidden", "a/.part", "a\n", "a b", "a\\b", "ä"]
)
def test_a_key_that_leaves_the_store_or_hides_in_it_is_refused(store: BlobStore, key: str) -> None:
    for attempt in (lambda: store.put(key, b"x"), lambda: store.read(key), lambda: store.delete(key)):
        with pytest.raises(ValueError, match="not a key"):
            attempt()


def test_a_reader_sees_the_old_blob_or_the_new_one_and_no_half(tmp_path: Path) -> None:
    store = BlobStore(f"file://{tmp_path}")
    versions = [bytes([number]) * 300_000 for number in range(8)]
    store.put("a", versions[0])
    writer = threading.Thread(target=lambda: [store.put("a", version) for version in versions * 5])
    writer.start()
    while writer.is_alive():
        assert store.read("a") in versions
    writer.join()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


FULL = """
import resource, signal, sys
from app.kernel.store import BlobStore, StoreAway
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    BlobStore(sys.argv[1]).put("a", b"x" * 5000)
except StoreAway as error:
    print(error.code, error.message)
"""


def test_a_store_that_takes_no_more_is_away_and_keeps_no_half(tmp_path: Path) -> None:
    address = f"file://{tmp_path}/store"
    answer = subprocess.run([sys.executable, "-c", FULL, address], capture_output=True, text=True, check=True, cwd=".")
    assert answer.stdout == "STORE_UNAVAILABLE The store failed: File too large.\n"
    assert list((tmp_path / "store").iterdir()) == []


def test_a_store_whose_place_is_taken_is_away(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    with pytest.raises(StoreAway):
        BlobStore(f"file://{tmp_path}/store").put("a", b"x")
