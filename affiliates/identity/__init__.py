"""From an identifier to a person key: normalisation, the group key and its epochs, canaries.

Doors: keys, normalisation, keyring, epochs, canaries. All other modules are private. No event and no sketch file is
read here.
"""
