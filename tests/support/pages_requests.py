"""Asking an application for pages and callbacks by HTTP, without a browser."""

import re
from html import unescape
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboards.web.app import create_app
from tests.support.pages_group import NOW, protect_by_header


def client_of(directory: Path) -> FlaskClient:
    """Whoever asks the application of a group directory."""
    server = create_app(directory, protect=protect_by_header, clock=lambda: NOW).server
    assert isinstance(server, Flask)
    return server.test_client()


def words(response: TestResponse) -> str:
    """What is read of a page that is painted first."""
    painted = response.text.partition('<div class="first-paint">')[2].partition("<script")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", painted))).replace("\u00a0", " ")


def call(client: FlaskClient, output: str, values: dict[str, Any], states: dict[str, Any], **options: Any) -> TestResponse:
    """Post a callback as Dash's renderer does: `values` and `states` by id and property, such as {"choice.value": 1}."""

    def listed(given: dict[str, Any]) -> list[dict[str, Any]]:
        parts = [(*name.rsplit(".", 1), value) for name, value in given.items()]
        return [{"id": identity, "property": name, "value": value} for identity, name, value in parts]

    identity, name = output.rsplit(".", 1)
    body = {
        "output": output,
        "outputs": {"id": identity, "property": name},
        "inputs": listed(values),
        "changedPropIds": list(values)[:1],
        "state": listed(states),
    }
    return client.post("/_dash-update-component", json=body, **options)
