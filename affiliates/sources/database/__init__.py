"""Events in a table of a database; what SQLAlchemy is needed for at the edge."""
