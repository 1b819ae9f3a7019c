"""One program per DVC stage: `python -m ddim.stages.<stage> [overrides] [-m]`.

Each has a `run(cfg)` that can be imported and called; nothing imports a stage.
"""
