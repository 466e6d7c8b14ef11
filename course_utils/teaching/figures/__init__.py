"""Which figures do several notebooks need? Each a function from plain data to a Figure.

``tokens``: next-token chart, attention maps.  ``training``: curves and accuracies with
intervals.  ``memory``: what fits a machine.  ``pipeline``: where we are.
"""
