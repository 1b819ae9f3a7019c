"""Hydra imports every module of `hydra_plugins` before it composes: this one registers the schema.

DVC composes conf/ itself (`dvc exp run`); through this plug-in it applies the same types.
"""

from ddim.config.schema import register

register()
