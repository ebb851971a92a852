"""From a series of months to what is to be expected of the series: intervals, probabilities, crossing.

Doors: forecast, series, history. All other modules are private. `forecast` and `series` are pure.
"""
