"""Where a product's events lie."""
