"""Environment variables for a while, one by one.

`unittest.mock.patch.dict` takes all variables away and puts them back, and glibc moves their array meanwhile. Once polars 2.1.0
has read from an object store, a thread of polars looks into that array again and again, and ended such a process (decision 115).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def variables(**values: str) -> Iterator[None]:
    """Set these variables, and put back or remove these alone afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
