"""Sketches of other makers, known by their bytes, and what an affiliate sends in their place. Pure.

No sketch of these can be united with ours, nor turned into one: other hash functions made its registers. So each is refused, and
the refusal says what it is. A maker is named only where documented bytes tell, with the length where a format has no mark.
"""

from dataclasses import dataclass

_EVENTS = "run `mauwatch contribute` on the events, or let the engine write person keys (docs/affiliates.md)"


@dataclass(frozen=True)
class ForeignSketch:
    """What bytes are that aren't an HLL image of Apache DataSketches."""

    name: str
    """The kind of sketch, with an article or its maker, such as `a theta sketch of Apache DataSketches`."""
    instead: str
    """What to send in its place: a next step without a full stop."""


# Byte 2 of a preamble, by https://github.com/apache/datasketches-java (Family.java). 7 is HLL.
_FAMILIES = {
    **dict.fromkeys(range(1, 7), "theta"),
    8: "quantiles",
    9: "tuple",
    10: "frequent items",
    **dict.fromkeys((11, 12), "reservoir"),
    **dict.fromkeys((13, 14), "VarOpt"),
    15: "KLL",
    16: "CPC",
    17: "REQ",
    18: "count-min",
    19: "EBPPS",
    20: "t-digest",
    21: "Bloom-filter",
}
_OWN_SKETCH = "sketch the keys with HLL of Apache DataSketches: `mauwatch contribute --print-sql ENGINE` prints the query"


def recognise(image: bytes) -> ForeignSketch | None:
    """The other sketch that bytes are; nothing for bytes that no rule here knows for certain."""
    if image[:4] == b"HYLL":  # The header of a key that PFADD made: src/hyperloglog.c of https://github.com/redis/redis.
        return ForeignSketch("a HyperLogLog of Redis", _EVENTS)
    # AggregatorStateProto of https://github.com/google/zetasketch: field 1, the type, is 112; field 2 is a count.
    if image[:3] == b"\x08\x70\x10":
        return ForeignSketch(
            "a sketch of BigQuery's HLL_COUNT (ZetaSketch)", "run the query of `mauwatch contribute --print-sql bigquery`"
        )
    rules = (_json, _text, _postgres, _airlift, _stream_lib, _druid, _clickhouse, _family)
    return next((sketch for rule in rules if (sketch := rule(image))), None)


def _json(image: bytes) -> ForeignSketch | None:
    """Warehouses that show their sketches as JSON; https://docs.snowflake.com (HLL_EXPORT), Redshift's guide (HLLSKETCH)."""
    if not image.lstrip().startswith(b"{"):
        return None
    if b'"precision"' in image:
        return ForeignSketch("a sketch of Snowflake's HLL_EXPORT", "run the query of `mauwatch contribute --print-sql snowflake`")
    if b'"logm"' in image:
        return ForeignSketch("an HLLSKETCH of Redshift", _EVENTS)
    return None


def _text(image: bytes) -> ForeignSketch | None:
    """An HLL image that was written as text into a column of bytes: in hex or in base64."""
    text = image.removeprefix(b"\\x")
    if text[:6].lower() in {b"020107", b"030107", b"0a0107"} or text[:4] in {b"AgEH", b"AwEH", b"CgEH"}:
        return ForeignSketch("an HLL image as text in a column of bytes", "write the bytes themselves, or a column of texts")
    return None


def _postgres(image: bytes) -> ForeignSketch | None:
    """Version 1 of https://github.com/aggregateknowledge/hll-storage-spec, as the extension `hll` and Citus store it."""
    if len(image) < 3 or image[0] >> 4 != 1:
        return None
    form = image[0] & 15
    width = (image[1] >> 5) + 1
    log_2_registers = image[1] & 31
    n_bytes = len(image) - 3
    as_long_as_it_says = {
        1: n_bytes == 0,
        2: n_bytes % 8 == 0 and 0 < n_bytes <= 256 * 8,
        3: 0 < n_bytes <= (width << log_2_registers) + 7 >> 3,
        4: n_bytes == (width << log_2_registers) + 7 >> 3,
    }
    # The cutoff byte's highest bit is padding; its lowest six are 0 to 31, or 63.
    plausible = log_2_registers >= 4 and image[2] < 128 and (image[2] & 63 < 32 or image[2] & 63 == 63)
    if not plausible or not as_long_as_it_says.get(form, False):
        return None
    return ForeignSketch(
        "a sketch of PostgreSQL's extension hll (Aggregate Knowledge's format)",
        "run the query of `mauwatch contribute --print-sql postgres`; without the extension `datasketches` add --person-keys",
    )


def _airlift(image: bytes) -> ForeignSketch | None:
    """Sparse and dense layout 2 of https://github.com/airlift/airlift (stats/docs/hll.md): Presto, Trino, Athena."""
    if len(image) < 4 or image[0] not in {2, 3} or not 1 <= image[1] <= 16:
        return None
    if image[0] == 2:
        length = 4 + 4 * int.from_bytes(image[2:4], "little")
    else:
        overflow_at = 3 + (1 << image[1] - 1)
        length = overflow_at + 2 + 3 * int.from_bytes(image[overflow_at : overflow_at + 2], "little")
    return ForeignSketch("a HyperLogLog of Presto, Trino or Athena", _EVENTS) if len(image) == length else None


def _stream_lib(image: bytes) -> ForeignSketch | None:
    """HyperLogLogPlus and HyperLogLog of https://github.com/addthis/stream-lib (getBytes), big-endian; Pinot writes them."""
    plus = image[:4] == b"\xff\xff\xff\xfe"
    plain = len(image) > 8 and int.from_bytes(image[:4]) <= 30 and int.from_bytes(image[4:8]) == len(image) - 8
    return ForeignSketch("a HyperLogLog of stream-lib, as Pinot writes it", _EVENTS) if plus or plain else None


def _druid(image: bytes) -> ForeignSketch | None:
    """A full VersionOneHyperLogLogCollector of https://github.com/apache/druid: 7 bytes, and half a byte for 2,048 registers."""
    if len(image) == 7 + 1024 and image[0] == 1 and int.from_bytes(image[2:4]) <= 2048:
        return ForeignSketch("a hyperUnique of Druid", _EVENTS)
    return None


def _clickhouse(image: bytes) -> ForeignSketch | None:
    """A state of uniqTheta of https://github.com/ClickHouse/ClickHouse: a length, seven bits a byte, and a theta sketch."""
    n_bytes = 0
    for place, byte in enumerate(image[:4]):
        n_bytes |= (byte & 127) << 7 * place
        sketch = image[place + 1 :]
        if byte < 128:
            return (
                ForeignSketch("a state of ClickHouse's uniqTheta", _EVENTS)
                if len(sketch) == n_bytes and _family(sketch)
                else None
            )
    return None


def _family(image: bytes) -> ForeignSketch | None:
    """Another family of Apache DataSketches: preamble size, serial version 1 to 4, family."""
    if len(image) < 8 or not 1 <= image[0] & 63 <= 10 or not 1 <= image[1] <= 4 or image[2] not in _FAMILIES:
        return None
    return ForeignSketch(f"a {_FAMILIES[image[2]]} sketch of Apache DataSketches, not an HLL sketch", _OWN_SKETCH)
