"""The schedulers of diffusers and their options, read from its source: importing it takes seconds.

A wrong name or option is told while composing, not when the first of them is built.
"""

import ast
import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ddim.runtime.refusals import nearest, refuse_unless_one_of, shown

# Of those that diffusers calls interchangeable: EDM's have no alpha-bar; the noise of DPMSolverSDE
# is its own, no function of (seed, i).
LEFT_OUT = ("EDM", "DPMSolverSDE")
# Options that diffusion.* gives.
OURS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas")
_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "str": (str,),
}
Option = list[object] | tuple[type, ...] | None  # the values, or the types, it takes; None: any


def check(name: str, options: Mapping[str, Any], *, key: str, options_key: str) -> None:
    """Raise ValueError unless diffusers has the scheduler `name`, and that these `options`.

    key, options_key: the settings that a message names.
    """
    refuse_unless_one_of(sorted(names(key)), key, name)
    accepted = options_of(name)
    for option, value in options.items():
        where = f"{options_key}.{option}"
        if option in OURS:
            raise ValueError(f"{where} is given by diffusion.*: set it there")
        if option not in accepted:
            hint = nearest(option, accepted).removeprefix("; ") or "there are no others"
            raise ValueError(f"{where}: {name} accepts {', '.join(accepted)}; {hint}")
        if option == "prediction_type" and value != "epsilon":
            raise ValueError(
                f"{where} must be epsilon: the network predicts it, got {shown(value)}"
            )
        _check_value(where, value, accepted[option])


def _check_value(where: str, value: object, takes: Option) -> None:
    if isinstance(takes, list):
        refuse_unless_one_of([str(each) for each in takes], where, value)
    elif takes is not None:
        ok = isinstance(value, takes) and (bool in takes or not isinstance(value, bool))
        if not ok:
            words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
            accepts = words[takes[-1]]
            raise ValueError(f"{where} must be {accepts}, got {shown(value)}")


def names(key: str = "sampler.scheduler") -> list[str]:
    """The schedulers that a cell may have. key: the setting that needs diffusers to be there."""
    enumeration = _class("KarrasDiffusionSchedulers", key)
    members = [node.targets[0] for node in enumeration.body if isinstance(node, ast.Assign)]
    every = [target.id for target in members if isinstance(target, ast.Name)]
    return [name for name in every if not name.startswith(LEFT_OUT)]


def options_of(name: str) -> dict[str, Option]:
    """{option: what it takes} of the scheduler `name`, those that diffusion.* gives aside."""
    (init,) = [
        node
        for node in _class(name, "sampler.scheduler").body
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    ]
    every = [*init.args.args[1:], *init.args.kwonlyargs]
    return {arg.arg: _takes(arg.arg, arg.annotation) for arg in every if arg.arg not in OURS}


def _takes(option: str, annotation: ast.expr | None) -> Option:
    """What an annotation says: Literal["a", "b"] -> ["a", "b"]; int -> (int,); others: None."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Literal":
        value = ast.literal_eval(annotation.slice)
        return list(value) if isinstance(value, tuple) else [value]
    if option == "timestep_spacing":  # annotated as any text where it is one of these as well
        return ["linspace", "leading", "trailing"]
    return _TYPES.get(annotation.id) if isinstance(annotation, ast.Name) else None


@cache
def _class(name: str, key: str) -> ast.ClassDef:
    """The class `name` of diffusers' schedulers."""
    line = re.compile(rf"^class {name}\b", re.MULTILINE)
    for text in _sources(key):
        if line.search(text):
            body = ast.parse(text).body
            return next(n for n in body if isinstance(n, ast.ClassDef) and n.name == name)
    raise ValueError(f"{key}: this version of diffusers has no {name}")


@cache
def _sources(key: str) -> list[str]:
    spec = find_spec("diffusers")
    if spec is None or not spec.submodule_search_locations:
        how = "pip install 'ddim[diffusers]'"
        raise ValueError(f"{key} needs diffusers, which is absent: {how}")
    folder = Path(spec.submodule_search_locations[0]) / "schedulers"
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("scheduling_*.py"))]
