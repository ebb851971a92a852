"""Events in a table or view of a database. SQLAlchemy is imported here and nowhere else of `affiliates`."""
