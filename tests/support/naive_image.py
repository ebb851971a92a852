"""A second reader of DataSketches images, from the format's description alone: slow, plain, one value at a time.

It shares no line with `affiliates.sketches.image` and imports nothing of it. Both must find the same in every image that
either of them takes.
"""

import struct

COUPONS, REGISTERS = "coupons", "registers"
Found = tuple[int, str, list[int]]
"""lgK, what it holds, and that: sorted coupons (LIST and SET), or all 2^lgK registers."""


def read(image: bytes) -> Found | None:
    """What an image holds; None if it is none."""
    if not 8 <= len(image) <= 4 * 1024 * 1024:
        return None
    ints, version, family, lg_k, lg_array, flags, small, form = image[:8]
    mode, kind = ("LIST", "SET", "HLL", "")[form % 4], (4, 6, 8, 0)[form // 4 % 4]
    if version != 1 or family != 7 or lg_k < 4 or lg_k > 21 or not mode or not kind:
        return None
    if ints != {"LIST": 2, "SET": 3, "HLL": 10}[mode]:
        return None
    compact = flags // 8 % 2 == 1
    found: list[int] | None
    if mode == "HLL":
        found = _registers(image, lg_k, kind, small, lg_array, compact)
    else:
        found = _coupons(image, mode, lg_k, small, lg_array, compact)
    if found is None or (flags // 4 % 2 and any(found)):
        return None
    return lg_k, REGISTERS if mode == "HLL" else COUPONS, found


def _words(image: bytes, start: int) -> list[int] | None:
    """The 32-bit words from a byte to the image's end."""
    if len(image) < start or (len(image) - start) % 4:
        return None
    return list(struct.unpack_from(f"<{(len(image) - start) // 4}I", image, start))


def _coupons(image: bytes, mode: str, lg_k: int, small: int, lg_array: int, compact: bool) -> list[int] | None:
    """A LIST has up to eight, a SET up to three quarters of its largest array, which is an eighth of 2^lgK."""
    words = _words(image, 8)
    if words is None:
        return None
    if mode == "SET":
        if lg_k < 8 or not words:
            return None
        count, most, words = words[0], 3 * 2**lg_k // 32, words[1:]
    else:
        count, most = small, 8
    if count > most:
        return None
    room = count if compact or len(image) == 8 else 2**lg_array
    if len(words) != room:
        return None
    coupons = {word for word in words if word}
    if len(coupons) != count or any(word >> 26 == 0 for word in coupons):
        return None
    return sorted(coupons)


def _registers(image: bytes, lg_k: int, kind: int, least: int, lg_array: int, compact: bool) -> list[int] | None:
    k = 2**lg_k
    if len(image) < 40:
        return None
    exceptions = struct.unpack_from("<I", image, 36)[0]
    if kind == 4:
        return _of_nibbles(image, k, least, exceptions, lg_k if lg_array > lg_k else lg_array, compact, lg_array > lg_k)
    if exceptions:
        return None
    if kind == 8:
        if len(image) != 40 + k:
            return None
        values = list(image[40:])
    else:
        if len(image) != 40 + 3 * k // 4 + 1:
            return None
        values = []
        for at in range(40, len(image) - 1, 3):
            three = image[at] + image[at + 1] * 256 + image[at + 2] * 65536
            values += [three % 64, three // 64 % 64, three // 4096 % 64, three // 262144]
    return None if max(values) > 63 or min(values) < least else values


def _of_nibbles(
    image: bytes, k: int, least: int, exceptions: int, lg_array: int, compact: bool, too_large: bool
) -> list[int] | None:
    """Two registers a byte above the least, low half first; 15 stands for an exception in the table behind them."""
    table = _words(image, 40 + k // 2)
    if table is None or least > 63 or (too_large and not compact):
        return None
    if compact:
        room = exceptions
    elif exceptions:
        room = 2**lg_array
    else:
        room = min(len(table), k)  # An empty table of any size: C++ notes none.
    if len(table) != room:
        return None
    values = []
    for byte in image[40 : 40 + k // 2]:
        values += [least + byte % 16, least + byte // 16]
    marked = {slot for slot, value in enumerate(values) if value == least + 15}
    pairs = [(word % 2**26, word >> 26) for word in table if word]
    if len(pairs) != exceptions or len(pairs) != len(marked) or {slot for slot, _ in pairs} != marked:
        return None
    for slot, value in pairs:
        if value < least + 15:
            return None
        values[slot] = value
    return None if max(values) > 63 else values
