"""The clean room of a deal: two groups that share only sketches under a key made for the deal.

`deal` is the folder of a deal, `contribution` what one side hands over, `checks` whether a file is the deal's, `comparison` what
both sides' sketches say, `reveals` what a sketch still tells whoever holds it, `deletion` what is left of deleted files. Nothing
here meets a group's store: a deal's sketches are of another key, and are never united with contributions.
"""
