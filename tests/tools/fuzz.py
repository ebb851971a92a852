"""Images as a stranger may send them, made of every kind that there is: `python -m tests.tools.fuzz --seconds 120 --seed 1`.

Image number n of a seed is always the same one. They are read in a process of its own, so that one which ends it is known
by its number, too: that, the seed and the image in hex are written to fuzz-failure.txt, and `--replay FILE` reads it again.
"""

import argparse
import multiprocessing
import random
import resource
import signal
import struct
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from datasketches import hll_sketch, hll_union, tgt_hll_type

from affiliates.sketches.image import BadImage, decode
from affiliates.sketches.registers import Registers
from tests.support import naive_image
from tests.support.sketches import encode_hll8

MOST_MEMORY, MOST_SECONDS = 64 << 20, 5.0
LEAST = 1000
"""Images, however short the time is."""
TARGETS = (tgt_hll_type.HLL_4, tgt_hll_type.HLL_6, tgt_hll_type.HLL_8)
COMPACT_SIZES, ARRAY_SIZES = (0, 1, 7, 8, 9, 15, 24, 25, 255), (0, 1, 2, 3, 4, 5, 8, 21, 26, 27, 31, 32, 63, 64, 255)
COUNTS = (0, 1, 2, 8, 9, 24, 25, 1 << 8, 1 << 20, 1 << 21, 1 << 26, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
STARTS = (0, 4, 8, 12, 32, 36, 40)


class Fault(AssertionError):
    """The decoder did something that it never may."""


def _both(sketch: Any) -> list[bytes]:
    return [bytes(sketch.serialize_compact()), bytes(sketch.serialize_updatable())]


def _counted(lg_k: int, people: int, kind: Any, full: bool = False) -> list[bytes]:
    sketch = hll_sketch(lg_k, kind, full)
    for i in range(people):
        sketch.update(i)
    return _both(sketch)


def _with_exceptions(lg_k: int, seed: int) -> list[bytes]:
    """The library's own HLL_4, of registers of which some lie 15 and more above the least; and HLL_6 of the same."""
    rng = np.random.default_rng(seed)
    values = rng.integers(seed % 5, seed % 5 + 12, 1 << lg_k).astype(np.uint8)
    values[rng.integers(0, 1 << lg_k, 1 + (1 << lg_k) // 10)] = rng.integers(25, 60)
    union = hll_union(lg_k)
    union.update(hll_sketch.deserialize(encode_hll8(lg_k, values)))
    return [image for kind in TARGETS for image in _both(union.get_result(kind))]


@cache
def small_images() -> list[bytes]:
    """Valid ones of each mode and type, compact and updatable; all but coupons of lgK 4 to 9."""
    made = [i for lg_k in range(4, 22) for kind in TARGETS for people in (0, 1, 7, 8) for i in _counted(lg_k, people, kind)]
    made += [i for lg_k in range(8, 22) for kind in TARGETS for people in (9, 24) for i in _counted(lg_k, people, kind)]
    for lg_k in range(4, 10):
        for kind in TARGETS:
            for people, full in ((0, True), (3, True), (60, False), (20_000 >> 9 - lg_k, False)):
                made += _counted(lg_k, people, kind, full)
        made += [image for seed in range(3) for image in _with_exceptions(lg_k, seed)]
    made += [encode_java_full(lg_k) for lg_k in (4, 6, 8)]
    return made


def encode_java_full(lg_k: int) -> bytes:
    """As Java and Spark write a sketch whose registers are all occupied: an HLL_8 that notes its least register."""
    values = (np.arange(1 << lg_k) % 7 + 3).astype(np.uint8)
    image = bytearray(encode_hll8(lg_k, values))
    image[6] = 3
    return bytes(image)


@cache
def large_images() -> list[bytes]:
    """Of lgK 10 to 21: hundreds of times as long to read as small ones."""
    made = [image for lg_k in (10, 12, 14) for image in _with_exceptions(lg_k, lg_k)]
    made += [image for kind in TARGETS for image in _counted(13, 700, kind)]
    many = np.random.default_rng(1).integers(0, 2**64, 3 << 20, dtype=np.uint64)
    for lg_k in (16, 21):
        made += [image for kind in TARGETS for image in _converted(Registers.from_keys(lg_k, many), kind)]
    return made


def _converted(registers: Registers, kind: Any) -> list[bytes]:
    union = hll_union(registers.lg_k)
    union.update(hll_sketch.deserialize(encode_hll8(registers.lg_k, registers.dense())))
    return _both(union.get_result(kind))


def _set_byte(image: bytearray, rng: random.Random, at: int, some: tuple[int, ...]) -> None:
    if len(image) > at:
        image[at] = rng.choice(some) if rng.random() < 0.7 else rng.randrange(256)


def _set_word(image: bytearray, rng: random.Random, at: int, near: bool) -> None:
    if len(image) >= at + 4:
        old = struct.unpack_from("<I", image, at)[0]
        said = (old + rng.choice((-2, -1, 1, 2))) % (1 << 32) if near else rng.choice(COUNTS)
        struct.pack_into("<I", image, at, said)


def _preamble(image: bytearray, rng: random.Random) -> None:
    _set_byte(image, rng, rng.randrange(8), (0, 1, 2, 3, 4, 7, 8, 10, 12, 21, 22, 255))


def _form(image: bytearray, rng: random.Random) -> None:
    """Another mode, type or lgK than what follows is."""
    _set_byte(image, rng, 7, tuple(range(16)))
    if rng.random() < 0.5:
        _set_byte(image, rng, 0, (2, 3, 10))


def _flags(image: bytearray, rng: random.Random) -> None:
    if len(image) > 5:
        image[5] ^= rng.choice((4, 8, 16, 32, 12))


def _sizes(image: bytearray, rng: random.Random) -> None:
    _set_byte(image, rng, rng.choice((4, 6)), rng.choice((COMPACT_SIZES, ARRAY_SIZES)))


def _counters(image: bytearray, rng: random.Random) -> None:
    _set_word(image, rng, rng.choice((8, 32, 36)), rng.random() < 0.5)


def _cut(image: bytearray, rng: random.Random) -> None:
    at = rng.choice((*STARTS, len(image) - 1, len(image) - 4, len(image) // 2, rng.randrange(len(image) + 1)))
    del image[max(0, at) :]


def _longer(image: bytearray, rng: random.Random) -> None:
    size = rng.choice((1, 3, 4, 8, 64, 1000))
    image += rng.choice((bytes(size), rng.randbytes(size), bytes(image[-size:])))


def _bits(image: bytearray, rng: random.Random) -> None:
    """In coupons, registers or exceptions."""
    first = rng.choice((8, 12, 40))
    for _ in range(rng.choice((1, 1, 2, 8)) if len(image) > first else 0):
        image[rng.randrange(first, len(image))] ^= 1 << rng.randrange(8)


def _cells(image: bytearray, rng: random.Random) -> None:
    """One 32-bit cell becomes another's twin, nothing, or anything: mostly at the end, where the exceptions are."""
    cells = (len(image) - 8) // 4
    if cells > 0:
        at, other = (len(image) - 4 * rng.randrange(1, 1 + min(cells, rng.choice((4, cells)))) for _ in range(2))
        image[at : at + 4] = rng.choice((image[other : other + 4], bytearray(4), bytearray(rng.randbytes(4))))


def _splice(image: bytearray, rng: random.Random) -> None:
    """The head of one and the rest of another kind."""
    other, at = rng.choice(small_images()), rng.choice(STARTS[1:])
    image[at:] = other[at:]


def _any(image: bytearray, rng: random.Random) -> None:
    image[:] = image[: rng.choice((0, 3, 8))] + rng.randbytes(rng.choice((0, 8, 40, 56, 300)))


WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _preamble, _form, _flags, _sizes, _counters, _cut, _longer, _bits, _bits, _bits, _cells, _cells, _splice, _any,
)  # fmt: skip


def image_of(seed: int, number: int, large: float = 0.0005) -> bytes:
    """A mutated image; one of `large` is of a large one."""
    rng = random.Random(f"{seed}/{number}")
    image = bytearray(rng.choice(large_images() if rng.random() < large else small_images()))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(WAYS)(image, rng)
    return bytes(image)


def outcome(image: bytes) -> str:
    """Read an image both ways: what came of it. Raises `Fault` where the two differ, and whatever the decoder raises."""
    expected = naive_image.read(image)
    try:
        found = decode(image)
    except BadImage:
        if expected is not None:
            raise Fault("the naive reader takes what the decoder refuses") from None
        return "refused"
    if expected is None:
        raise Fault("the decoder takes what the naive reader refuses")
    held = found.values if found.coupons is None else found.coupons
    what = naive_image.REGISTERS if found.coupons is None else naive_image.COUPONS
    if held is None or (found.lg_k, what) != expected[:2] or held.tolist() != expected[2]:
        raise Fault("the decoder and the naive reader find different registers")
    return f"read {what}"


def measured(image: bytes) -> tuple[float, int]:
    """Seconds and most bytes of memory that one reading to registers takes."""
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        Registers.from_image(image)
    except BadImage:
        pass
    finally:
        taken, most = time.perf_counter() - begun, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return taken, most


def _too_long(_signal: int, _frame: object) -> None:
    raise Fault(f"an image takes over {MOST_SECONDS} seconds")


def _work(seed: int, seconds: float, at: Any, told: Any) -> None:
    """The child's part: images until the time is over; what went wrong, if anything did, goes into `told`."""
    signal.signal(signal.SIGALRM, _too_long)
    outcomes, slowest, most_memory = Counter[str](), 0.0, 0
    small_images(), large_images()
    end = time.monotonic() + seconds
    try:
        while at.value < LEAST or time.monotonic() < end:
            image = image_of(seed, at.value, 0.005)
            signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
            outcomes[outcome(image)] += 1
            if at.value % 16 == 0 or len(image) > 1 << 15:
                taken, memory = measured(image)
                slowest, most_memory = max(slowest, taken), max(most_memory, memory)
                if memory > MOST_MEMORY:
                    raise Fault(f"an image takes {memory:,} bytes of memory")
            signal.setitimer(signal.ITIMER_REAL, 0)
            at.value += 1
    except BaseException as fault:  # noqa: BLE001 - whatever it is, it is the finding
        told.put(f"{type(fault).__name__}: {fault}")
        return
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    told.put({"outcomes": dict(outcomes), "slowest": slowest, "memory": most_memory, "process": peak})


def run(seed: int, seconds: float, failure: Path) -> bool:
    """Fuzz in a child process and print what came of it; whether nothing was found."""
    spawn = multiprocessing.get_context("spawn")
    at, told = spawn.Value("q", 0), spawn.SimpleQueue()
    child = spawn.Process(target=_work, args=(seed, seconds, at, told))
    child.start()
    child.join(seconds + 60)
    if child.is_alive():  # In compiled code, where no signal's handler gets a turn.
        child.kill()
        child.join()
    said = told.get() if not told.empty() else f"the process ended with {child.exitcode}"
    if isinstance(said, str):
        failure.write_text(f"{said}\nseed {seed} number {at.value}\n{image_of(seed, at.value, 0.005).hex()}\n")
        print(f"image {at.value:,} of seed {seed}: {said}; written to {failure}")
        return False
    counts = ", ".join(f"{number:,} {what}" for what, number in sorted(said["outcomes"].items()))
    print(f"seed {seed}: {at.value:,} images: {counts}")
    print(f"slowest image {said['slowest'] * 1000:.1f} ms, most memory {said['memory'] / (1 << 20):.1f} MiB")
    print(f"most memory of the process, numba and the images to begin with among it: {said['process']:,} MiB")
    return True


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seconds", type=float, default=120)
    asked.add_argument("--seed", type=int, default=int(time.time()))
    asked.add_argument("--replay", type=Path, metavar="FILE")
    given = asked.parse_args()
    if given.replay:
        print(outcome(bytes.fromhex(given.replay.read_text().splitlines()[2])))
        return
    sys.exit(not run(given.seed, given.seconds, Path("fuzz-failure.txt")))


if __name__ == "__main__":
    main()
