"""The pages of the application, in the order of the navigation."""

from dashboards.web.pages import overview

PAGES = (overview.PAGE,)
