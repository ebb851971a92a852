"""Makes the store that the pages' tests show: `python -m tests.tools.pages_group DEMO`, of a group that `mauwatch demo` has made.

    mauwatch demo DEMO --scale 0.05
    python -m tests.tools.pages_group DEMO

The demo's figures are scaled up to its real size without its people: pages read figures, and no sketch. Sketches' images are left
out, and months that no page shows. Two overlaps and an alert's message are made up, so that each kind of cell is there.
"""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from tests.support.paths import ROOT

STORE = ROOT / "tests" / "data" / "pages" / "store.sqlite.zst"
_FACTOR = 19.61
"""So that the newest month's estimate is that of the demo at real size."""
_SCALED = {
    "figures": ("estimate", "lower", "upper", "standard_error", "identity_low", "identity_high", "summed_products"),
    "licence_tests": ("estimate", "lower", "upper"),
    "clause_results": ("estimate", "lower", "upper"),
    "range_parts": ("people",),
    "month_changes": ("people",),
    "parts": ("estimate",),
}
_FIRST = "2024-09-01"
_OVERLAPS = (
    ("media/music", "media/tv", "measured", 9_000_000, 8_800_000, 9_200_000, 0.18, 0.51, ""),
    (
        "media/music",
        "social/feed",
        "not_measurable",
        300_000,
        0,
        900_000,
        None,
        None,
        "less than three standard errors from nobody",
    ),
    ("media/tv", "social/feed", "not_measured", None, None, None, None, None, "no kind of identifier is in both"),
)


def main(demo: Path) -> None:
    """Make the file."""
    with TemporaryDirectory() as folder:
        group = Path(folder) / "group"
        shutil.copytree(demo, group)
        store = group / ".mauwatch" / "store.sqlite"
        _scale(store)
        # The outlook of the scaled figures, and the alerts that follow; findings end the run with 1.
        subprocess.run([sys.executable, "-m", "dashboards.cli.main", "run", "--group", str(group)], check=False)
        _trim(store)
        STORE.parent.mkdir(exist_ok=True)
        STORE.write_bytes(zstandard.ZstdCompressor(level=19).compress(store.read_bytes()))
    print(STORE, STORE.stat().st_size)


def _scale(store: Path) -> None:
    # `with` alone ends the transaction, and leaves the connection open.
    with closing(sqlite3.connect(store)) as database, database:
        for table, columns in _SCALED.items():
            database.execute(f"update {table} set {', '.join(f'{c} = cast({c} * {_FACTOR} as int)' for c in columns)}")
        for table in ("licence_tests", "clause_results"):
            database.execute(
                f"update {table} set result = case when upper <= threshold then 'under' when lower > threshold then 'over' "
                "else 'undetermined' end where result in ('under', 'over', 'undetermined') and threshold is not null"
            )
        for table in ("outlook_months", "outlooks", "incidents", "runs"):
            database.execute(f"delete from {table}")


def _trim(store: Path) -> None:
    database = sqlite3.connect(store, isolation_level=None)
    old = f"select id from publications where month < '{_FIRST}'"
    for table in ("figures", "range_parts", "month_changes"):
        database.execute(f"delete from {table} where publication in ({old})")
    newest = "select max(id) from publications group by reading"
    database.execute(f"delete from range_parts where publication not in ({newest}) and scope != 'group'")
    database.execute(f"delete from publications where month < '{_FIRST}'")
    database.execute(
        "delete from parts where contribution_id in (select id from contributions where activity_date < '2026-10-01')"
    )
    database.execute("delete from contributions where activity_date < '2026-10-01'")
    database.execute("delete from sketches where digest not in (select sketch from parts)")
    database.execute("update sketches set image = null")
    database.execute("delete from ledger")
    inputs = database.execute("select inputs from publications where reading = 'unique_people' order by id desc").fetchone()[0]
    database.executemany(f"insert into product_overlaps values ('{inputs}', ?, ?, ?, ?, ?, ?, ?, ?, ?)", _OVERLAPS)
    database.execute(
        f"insert into unique_additions values ('{inputs}', 'media/music', 'measured', 4100000, 4000000, 4200000, '')"
    )
    (transition,) = database.execute("select id from incidents where kind = 'threshold' order by id desc").fetchone()
    payload = '{"action": "raised", "level": "act"}'
    written = "(select known_at from incidents where id = ?)"
    database.execute(f"insert into outbox values (1, 'a1', ?, 'counsel', 0, ?, {written})", (transition, payload, transition))
    database.execute("pragma journal_mode = delete")
    database.execute("vacuum")
    database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
