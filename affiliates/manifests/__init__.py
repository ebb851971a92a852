"""What a group's YAML files say, as typed and closed values with the line of every mistake.

Doors: loader, group, product, readings, settings, source, conditions, grants, model_use, alert_settings, attestations,
packet, base, yaml_lines. All other modules are private. No event, sketch or store is read here.
"""
