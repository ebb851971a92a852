"""The pages of the application, in the order of the navigation."""

from dashboards.web.pages import alert, forecast, group, overview

PAGES = (overview.PAGE, group.PAGE, forecast.PAGE, alert.PAGE)
