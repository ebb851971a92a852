"""The pages, one module each: PATH, TITLE, ROLES, `layout(viewer, parameters, rows)`, charts, callbacks, and a `PAGE` of them.

A page imports no other page. `dashboards.web.page_list` has all of them.
"""
