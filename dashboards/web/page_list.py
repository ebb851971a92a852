"""The pages of the application, in the order of the navigation."""

from dashboards.web.pages import alert, data, forecast, group, licences, overview, scenario, whatif

PAGES = (overview.PAGE, group.PAGE, licences.PAGE, forecast.PAGE, whatif.PAGE, data.PAGE, alert.PAGE, scenario.PAGE)
