"""From a series of months to what is to be expected of the series: intervals, probabilities, crossing.

Doors: forecast, outlook, series, series_csv, history. All other modules are private. `forecast` and `series` are pure.
"""
