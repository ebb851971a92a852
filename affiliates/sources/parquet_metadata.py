"""What stands in a Parquet file beside its columns: an engine's description of them, or what could be somebody's."""

import base64
import binascii
import re
from collections.abc import Sequence

MOST_BYTES = 64 << 10
"""Bytes of a text beside the columns: a description of a contribution's columns has a few thousand."""
_WRITERS_KEYS = re.compile(
    r"ARROW:schema|pandas|writer\.(model\.name|time\.zone|date\.proleptic|zone\.conversion\.legacy)|duckdb_schema"
    r"|parquet\.avro\.schema|parquet\.proto\.(class|descriptor)|(org\.apache\.spark|com\.databricks)\.[A-Za-z.]{1,64}"
    r"|(presto|trino)_[a-z_]{1,32}|(hive|iceberg)\.[a-z.]{1,32}"
)
"""Keys under which engines describe the columns, or themselves."""
_PERSONAL = re.compile(rb"[A-Za-z0-9._%+-]@[A-Za-z0-9-]+\.[A-Za-z]{2}|\+\d[\d ()/-]{7,}\d")
"""An address or a telephone number, for which no description of columns has a use."""


def is_personal(text: bytes) -> bool:
    """Whether a text has an address or a telephone number in it, or is longer than any description."""
    return len(text) > MOST_BYTES or _PERSONAL.search(text) is not None


def are_personal(texts: Sequence[bytes]) -> bool:
    """Whether one of these texts is personal."""
    # No address and no number has a zero byte in it, so none reaches from one text into the next.
    return any(len(text) > MOST_BYTES for text in texts) or _PERSONAL.search(b"\0".join(texts)) is not None


def is_description(key: str, value: bytes) -> bool:
    """Whether a pair of metadata is an engine's own description, with nothing in it that could be somebody's."""
    if not _WRITERS_KEYS.fullmatch(key) or is_personal(value):
        return False
    try:
        return key != "ARROW:schema" or not is_personal(base64.b64decode(value, validate=True))
    except binascii.Error:
        return False
