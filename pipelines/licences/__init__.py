"""What licences and regulations ask of user counts, and what their tests find.

Doors: registry, entry, release_tests, clause_tests, grants, outcome, adoption, dependencies, request_letter. All other
modules are private. The built-in registry is data, in the folder `data`. No number is counted here.
"""
