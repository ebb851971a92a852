"""What a view's query computes, on rows that are written by hand."""

import sqlite3

from pipelines.store import upgrade, views


def test_headroom_is_a_range() -> None:
    """A BI tool that has the estimate's headroom alone shows 50 million left where the group may be 250 million over."""
    (query,) = (view.query for view in views.read(upgrade.sql_folder() / "views") if view.name == "licence_results")
    with sqlite3.connect(":memory:") as connection:
        columns = "id, licence, licensee, reading, of_record, released, measured_month, threshold, result, estimate, lower, upper"
        connection.execute(f"create table licence_tests ({columns}, known_at)")
        rows = [
            (1, "llama-4", "parent", "unique_people", 1, "", "", 700, "undetermined", 650, 600, 950, ""),
            (2, "llama-4", "parent", "summed_products", 0, "", "", 700, "undetermined", 650, 600, None, ""),
        ]
        connection.executemany(f"insert into licence_tests values ({', '.join('?' * 13)})", rows)
        read = f"select headroom, headroom_lower, headroom_upper from ({query}) order by reading"
        assert connection.execute(read).fetchall() == [(50, None, 100), (50, -250, 100)]
