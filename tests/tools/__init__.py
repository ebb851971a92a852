"""Programs beside the tests: they compare, count and measure, and are run by hand or by `make`."""
