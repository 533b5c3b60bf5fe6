"""Prometheus' remote write, version 1: a `WriteRequest` of protobuf in a block of snappy.

The specification: https://prometheus.io/docs/specs/prw/remote_write_spec/. The messages are declared here, field by
field, instead of being generated. No IO.
"""

from __future__ import annotations

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

_FIELD = descriptor_pb2.FieldDescriptorProto
# Name, number, type, of which message, repeated; exemplars, histograms and metadata are passed over as unknown.
_MESSAGES: Final = {
    "Label": (("name", 1, _FIELD.TYPE_STRING, None), ("value", 2, _FIELD.TYPE_STRING, None)),
    "Sample": (("value", 1, _FIELD.TYPE_DOUBLE, None), ("timestamp", 2, _FIELD.TYPE_INT64, None)),
    "TimeSeries": (
        ("labels", 1, _FIELD.TYPE_MESSAGE, "Label"),
        ("samples", 2, _FIELD.TYPE_MESSAGE, "Sample"),
    ),
    "WriteRequest": (("timeseries", 1, _FIELD.TYPE_MESSAGE, "TimeSeries"),),
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
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("prometheus.WriteRequest"))


WriteRequest = _declare()


def read_remote_write(body: bytes) -> Received:
    """Read a request; raises Malformed where it is none, BodyTooLarge where it unpacks to too much.

    Stale markers and other values that are no number are passed over, and so are series with impossible labels: a
    refusal would make Prometheus drop all the others with them.
    """
    request = WriteRequest()
    try:
        request.ParseFromString(_unpack(body))
    except DecodeError:
        raise Malformed("The body is not a WriteRequest of Prometheus' remote write.") from None
    count = sum(len(one.samples) for one in request.timeseries)
    if count > MOST_POINTS:
        raise BodyTooLarge(f"One request takes at most {MOST_POINTS} points.", limit=MOST_POINTS, points=count)
    received = Received()
    for one in request.timeseries:
        _take(one, received)
    return received


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
    times = np.array([sample.timestamp for sample in one.samples], np.int64)
    values = np.array([sample.value for sample in one.samples], np.float64)
    # One that is too late anyway must not become early by overflowing.
    received.take(labels.pop("__name__", ""), labels, np.clip(times, -1, LATEST) * 1000, values)
