"""The lecture's claims, each shown from the trained network as figures and numbers.

One module per section; each has `section(bench) -> Section` (`speed` and `discrete` take the
configuration). What they share:

    bench       the network, the images and the feature space that every section measures with
    section     section.json and the files beside it, as the report reads them
    plots       matplotlib: one look, the same bytes for the same numbers
    statistics  intervals, fitted orders, tests for normality

The order in the report: speed 1, invert 2, consistency 3, path 4, interpolate 5, edit 6, family 7,
ode 8, solvers 9; discrete 10 trains a network of its own and is not part of the default pipeline.
"""
