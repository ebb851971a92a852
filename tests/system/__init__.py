"""Tests of the whole product: its commands, its services, and the repository itself."""
