"""From an identifier to a person key: normalisation, the group key and its epochs, canaries.

Doors: keys, normalisation, forms, spellings, keyring, epochs, canaries. All other modules are private. No event and no
sketch file is read here.
"""
