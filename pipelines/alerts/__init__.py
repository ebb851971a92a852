"""When somebody has to be told, what they are told, and how the message gets there.

A level is decided in `state`: `assess` for one month, `advance` for the alert. Doors: evaluate, rules, delivery, heartbeat,
responses, recorder, channels, sending, unusual_data. All other modules are private. apprise is imported in `channels` alone.
`pipelines.scenarios` is never read: a scenario pages nobody.
"""
