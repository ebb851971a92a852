"""What the monthly report says, part by part, of the rows and in the words of the pages.

Door: `dashboards.web.monthly_report`. All modules are private.
"""
