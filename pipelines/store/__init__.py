"""The group's database: contributions, publications, ledger, alerts, outbox, erasure; tables and views.

Doors: engine, mark, moments, contributions, handed_in, product_days, publications, published_figures, ledger, integrity, erasure,
erasure_guard, stored_products, vacuum, alert_log, outbox, recipient, process_identity, scenarios, month_notes, clause_results,
run_log, outlooks, page_rows, shared_people. All other modules are private.
SQLAlchemy and Alembic are imported here (and in `pipelines.defs` for Dagster's own database). Nothing is counted here.
"""
