"""What this project costs, as ratios measured in one run: `python -m benchmarks` lists the parts.

Medians of interleaved repetitions, each side in turn, the warm-up discarded: other programs on the
machine meet all sides alike, so a ratio means more than either of its times. From the project's
root:

    python -m benchmarks                                     the parts
    python -m benchmarks sampling --against diffusers        one of them, one comparison
    python -m benchmarks training experiment=mnist           another network
    python -m benchmarks all --quick                         all of them, in two minutes
    python -m benchmarks all --out benchmarks/results        a page and its numbers for each

The goals stand in benchmarks/goals.py; the kept results in benchmarks/results/.
"""
