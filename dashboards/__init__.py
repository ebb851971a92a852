"""Every face: terminal now, web and report in their turn."""
