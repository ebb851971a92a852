"""The application as the server serves it: pages and callbacks, the check before them, and the health endpoint."""

from flask import Flask

from dashboards.web import access, app, health
from dashboards.web.group_directory import GroupDirectory
from dashboards.web.settings import DashboardSettings


def build(settings: DashboardSettings) -> Flask:
    """The WSGI application of a group directory. Raises `RefusedError` where a manifest or the login can't be used."""

    def protect(flask_app: Flask) -> None:
        access.protect(
            flask_app,
            settings,
            app.CALLBACKS,
            app.ROUTER.roles_of,
            script_hashes=lambda: dash_app.csp_hashes(),
            callback_inputs=lambda: inputs,
        )

    dash_app = app.create_app(settings.directory, protect=protect, csrf_cookie=settings.csrf_cookie)
    inputs = {
        output: frozenset(f"{one['id']}.{one['property']}" for one in callback["inputs"])
        for output, callback in dash_app.callback_map.items()
    }
    directory = GroupDirectory(settings.directory)
    health.register(dash_app.server, settings.directory, lambda: directory.read().group.settings.store)
    flask_app: Flask = dash_app.server
    dash_app.scripts_of_page.keep({"mauwatch.warm_up": access.WARM_UP})
    return flask_app
