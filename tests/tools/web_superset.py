"""Superset's part of the dashboard's bench, in an environment of its own: `python web_superset.py STORE MONTH READING`.

SUPERSET_CONFIG_PATH names the configuration. Makes the page /superset/dashboard/mauwatch/: one number of the view `group_mau`.
The environment has apache-superset 6.1.0, and what that one needs and doesn't name: flask-caching 2.3.1, cachetools, rich.
"""

import json
import sys

from superset.app import create_app


def main(store: str, month: str, reading: str) -> None:
    """Make the database, its dataset, the number, and the page."""
    with create_app().app_context():
        from superset import db
        from superset.connectors.sqla.models import SqlaTable
        from superset.models.core import Database
        from superset.models.dashboard import Dashboard
        from superset.models.slice import Slice

        database = Database(database_name="mauwatch", sqlalchemy_uri=f"sqlite:///{store}")
        table = SqlaTable(table_name="group_mau", database=database)
        db.session.add_all([database, table])
        db.session.commit()
        table.fetch_metadata()
        where = f"month = '{month}' and reading = '{reading}'"
        number = {
            "viz_type": "big_number_total",
            "datasource": f"{table.id}__table",
            "metric": {"expressionType": "SQL", "sqlExpression": "max(estimate)", "label": "people"},
            "adhoc_filters": [{"expressionType": "SQL", "clause": "WHERE", "sqlExpression": where}],
            "y_axis_format": ",d",
        }
        chart = Slice(
            slice_name="People",
            viz_type="big_number_total",
            datasource_type="table",
            datasource_id=table.id,
            params=json.dumps(number),
        )
        db.session.add(chart)
        db.session.commit()
        parts: dict[str, dict[str, object]] = {
            "ROOT_ID": {"type": "ROOT", "children": ["GRID_ID"]},
            "GRID_ID": {"type": "GRID", "children": ["ROW-1"], "parents": ["ROOT_ID"]},
            "ROW-1": {
                "type": "ROW",
                "children": ["CHART-1"],
                "parents": ["ROOT_ID", "GRID_ID"],
                "meta": {"background": "BACKGROUND_TRANSPARENT"},
            },
            "CHART-1": {
                "type": "CHART",
                "children": [],
                "parents": ["ROOT_ID", "GRID_ID", "ROW-1"],
                "meta": {"chartId": chart.id, "width": 6, "height": 50, "sliceName": "People"},
            },
        }
        with_ids = {name: {"id": name, **part} for name, part in parts.items()}
        position = json.dumps({"DASHBOARD_VERSION_KEY": "v2", **with_ids})
        page = Dashboard(dashboard_title="mauwatch", slug="mauwatch", slices=[chart], published=True, position_json=position)
        db.session.add(page)
        db.session.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
