"""Prometheus' remote write, version 1: a `WriteRequest` of protobuf in a block of snappy.

The specification: https://prometheus.io/docs/specs/prw/remote_write_spec/. The messages are declared here, field by
field, instead of being generated. No IO.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import cramjam
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from app.kernel.errors import Malformed
from app.monitoring.errors import BodyTooLarge
from app.monitoring.incoming import LAST_SECOND, MOST_POINTS, Received

MOST_BYTES: Final = 64 * 1024 * 1024
LATEST: Final = int(LAST_SECOND) * 1000 + 1
# A message of nothing takes two bytes here and a hundred in memory: so they are counted before they are read, and a
# series is read by itself.
MOST_PARTS: Final = 100_000
MOST_SERIES_BYTES: Final = 16 * 1024 * 1024

_FIELD = descriptor_pb2.FieldDescriptorProto
# Name, number, type, of which message, repeated; exemplars, histograms and metadata are passed over as unknown.
_MESSAGES: Final = {
    "Label": (("name", 1, _FIELD.TYPE_STRING, None), ("value", 2, _FIELD.TYPE_STRING, None)),
    "Sample": (("value", 1, _FIELD.TYPE_DOUBLE, None), ("timestamp", 2, _FIELD.TYPE_INT64, None)),
    "TimeSeries": (
        ("labels", 1, _FIELD.TYPE_MESSAGE, "Label"),
        ("samples", 2, _FIELD.TYPE_MESSAGE, "Sample"),
    ),
}


def _declare() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="headrace/remote_write.proto", package="prometheus", syntax="proto3")
    for name, declared in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind, of in declared:
            label = _FIELD.LABEL_REPEATED if of else _FIELD.LABEL_OPTIONAL
            type_name = of and f".prometheus.{of}"
            message.field.add(name=field_name, number=number, type=kind, label=label, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("prometheus.TimeSeries"))


TimeSeries = _declare()
_SERIES: Final = 1
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


def read_remote_write(body: bytes) -> Received:
    """Read a request; raises Malformed where it is none, BodyTooLarge where it unpacks to too much.

    Stale markers and other values that are no number are passed over, and so are series with impossible labels: a
    refusal would make Prometheus drop all the others with them.
    """
    received, count = Received(), 0
    try:
        for part in _split(memoryview(_unpack(body))):
            one = TimeSeries.FromString(bytes(part))
            count += len(one.samples)
            if count > MOST_POINTS:
                raise BodyTooLarge(f"One request takes at most {MOST_POINTS} points.", limit=MOST_POINTS, points=count)
            _take(one, received)
    except (DecodeError, IndexError):
        raise Malformed("The body is not a WriteRequest of Prometheus' remote write.") from None
    return received


def _split(request: memoryview) -> Iterator[memoryview]:
    """Yield the series in a request, unread; its other fields are passed over. Raises DecodeError or IndexError for
    what is none, BodyTooLarge."""
    at = parts = 0
    while at < len(request):
        parts += 1
        if parts > MOST_PARTS:
            raise BodyTooLarge(f"One request takes at most {MOST_PARTS} series.", limit=MOST_PARTS)
        key, at = _read_varint(request, at)
        begin, at = _pass_over(request, at, key & 7)
        if key == _SERIES << 3 | _BYTES:
            if at - begin > MOST_SERIES_BYTES:
                raise BodyTooLarge(f"A series has more than {MOST_SERIES_BYTES} bytes.", limit=MOST_SERIES_BYTES)
            yield request[begin:at]


def _pass_over(request: memoryview, at: int, kind: int) -> tuple[int, int]:
    """Return where the content of a field begins and ends."""
    if kind == _VARINT:
        return at, _read_varint(request, at)[1]
    if kind == _BYTES:
        size, at = _read_varint(request, at)
    elif kind in (_FIXED_64, _FIXED_32):
        size = 8 if kind == _FIXED_64 else 4
    else:
        raise DecodeError("has a field of a kind that there is not")
    if at + size > len(request):
        raise DecodeError("ends too early")
    return at, at + size


def _read_varint(request: memoryview, at: int) -> tuple[int, int]:
    """Return a number, and where it ends: seven bits a byte, the lowest first, at most ten bytes."""
    number = 0
    for place in range(10):
        byte = request[at + place]
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    raise DecodeError("has a number without end")


def _unpack(body: bytes) -> bytes:
    try:
        length = cramjam.snappy.decompress_raw_len(body)
        if length > MOST_BYTES:
            raise BodyTooLarge(f"The body unpacks to more than {MOST_BYTES} bytes.", limit=MOST_BYTES)
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError:
        raise Malformed("The body is not a block of snappy, or lies about its length.") from None


def _take(one: Any, received: Received) -> None:
    labels = {label.name: label.value for label in one.labels}
    # One that is too late anyway must not become early by overflowing.
    times = np.array([1000 * min(max(sample.timestamp, -1), LATEST) for sample in one.samples], np.int64)
    values = np.array([sample.value for sample in one.samples], np.float64)
    received.take(labels.pop("__name__", ""), labels, times, values)
