"""GET /healthz: whether the dashboard can show figures, for whoever watches the machine. It names nobody and no figure."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response, jsonify

from affiliates.errors import RefusedError
from pipelines.store import contributions, engine, publications

HEALTH = "/healthz"


def register(flask_app: Flask, directory: Path, store_url: Callable[[], str]) -> None:
    """Add the route. `store_url` gives the store's URL as group.yaml says now, and may raise `RefusedError`."""

    def healthz() -> Response:
        # Of a refusal the code alone: its values hold the store's place.
        # Whatever it is, the answer is that the dashboard isn't fine, and of which kind the error is.
        try:
            answer: dict[str, object] = {"healthy": True, **_store(store_url(), directory)}
        except RefusedError as error:
            answer = {"healthy": False, "store": str(error.refusals[0].code)}
        except Exception as error:  # noqa: BLE001 whatever it is, the answer is that it is not well
            answer = {"healthy": False, "store": type(error).__name__}
        response = jsonify(answer)
        response.status_code = 200 if answer["healthy"] else 503
        return response

    flask_app.add_url_rule(HEALTH, "mauwatch_health", healthz, methods=["GET"])


def _store(url: str, directory: Path) -> dict[str, object]:
    """Whether the store answers, and the age of its newest publication in seconds; null where nothing was published yet."""
    if not engine.exists(url, directory):
        return {"store": "none yet", "newest_publication_age_seconds": None}
    with contributions.open_store(url, directory) as store:
        moments = [publication.known_at for publication in publications.in_force(store).values()]
    age = round((datetime.now(UTC) - max(moments)).total_seconds()) if moments else None
    return {"store": "answers", "newest_publication_age_seconds": age}
