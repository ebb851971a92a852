"""The centre: from contributions to a figure, from a figure to a decision."""
