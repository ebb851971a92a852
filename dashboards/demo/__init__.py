"""Groups that show the product at work: a made-up conglomerate at real size, and real commits.

Doors: conglomerate, git_activity, truth. All other modules are private.
"""
