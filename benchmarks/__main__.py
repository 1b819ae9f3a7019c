"""The command line of `python -m benchmarks`: see the package's docstring."""

import difflib
import importlib
import shlex
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.findings import Findings, to_json, write
from benchmarks.parts import PARTS, Options
from ddim.runtime.cli import Parser, command
from ddim.runtime.errors import USER_ERRORS, one_line
from ddim.runtime.files import write_text

ALL = "all"


def main(arguments: Sequence[str]) -> int:
    """List the parts, or run some; 1 if one of several failed."""
    args = parsed(arguments)
    if args.part is None:
        print(listing())
        return 0
    options = Options(args.quick, args.device, args.against, tuple(args.overrides), args.out)
    names = chosen(args.part, options)
    check(names, options, alone=args.part != ALL)
    results, failed = [], []
    for name in names:
        try:
            results.append(measured(name, options, arguments))
        except USER_ERRORS as error:
            if args.part != ALL:
                raise
            print(f"error: {name}: {one_line(error)}", file=sys.stderr, flush=True)
            failed.append(name)
            continue
        if args.out is not None:  # part by part: a later failure costs nothing
            write(results[-1], args.out)
    if args.json is not None:
        write_text(args.json, to_json(results))
    return 1 if failed else 0


def parsed(arguments: Sequence[str]) -> Namespace:
    """The arguments, each of which is at least a valid one of some part."""
    parser = Parser(
        prog="python -m benchmarks",
        description=listing(),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", nargs="?", help=f"one of those, or {ALL}")
    parser.add_argument("overrides", nargs="*", help="settings, as experiment=mnist")
    parser.add_argument("--against", help="only this comparison of the part")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--quick", action="store_true", help="few repetitions, small amounts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write <part>.md, <part>.json and pictures"
    )
    return parser.parse_intermixed_args(arguments)


def listing() -> str:
    """The parts, a line each."""
    lines = ["parts of `python -m benchmarks`:", ""]
    for name, part in PARTS.items():
        against = f" (--against {', '.join(part.against)})" if part.against else ""
        lines.append(f"  {name:<11} {part.about}{against}")
    return "\n".join([*lines, "", f"  {ALL:<11} one after the other"])


def chosen(name: str, options: Options) -> list[str]:
    """The parts to run; ValueError with the nearest name for one that does not exist."""
    if name == ALL:
        cuda = options.device == "cuda"
        return [each for each, part in PARTS.items() if part.in_all and (part.cuda or not cuda)]
    if name not in PARTS:
        near = difflib.get_close_matches(name, [*PARTS, ALL], n=1, cutoff=0)[0]
        raise ValueError(f"there is no part {name!r}: did you mean {near}? (python -m benchmarks)")
    return [name]


def check(names: Sequence[str], options: Options, *, alone: bool) -> None:
    """Raise ValueError, before anything is measured, for arguments that no part in question takes.

    alone: a part that was named takes every argument; of `all`, some part has to take it.
    """
    parts = [PARTS[name] for name in names]
    takes = all if alone else any
    label = names[0] if alone else ALL
    accepted = parts[0].against if alone else ()
    if options.against is not None and options.against not in accepted:
        accepts = f"one of {', '.join(accepted)}" if accepted else "not taken"
        raise ValueError(f"--against of {label} is {accepts}, got {options.against!r}")
    if options.overrides and not takes(part.overrides for part in parts):
        raise ValueError(f"{label} takes no settings, got {shlex.join(options.overrides)}")
    wrong = [override for override in options.overrides if "=" not in override]
    if wrong:
        raise ValueError(f"settings are key=value, as experiment=mnist; got {wrong[0]!r}")
    if options.device == "cuda":
        if not takes(part.cuda for part in parts):
            raise ValueError(f"{label} does not run on a GPU: leave --device cuda out")
        _check_cuda()


def _check_cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        raise ValueError("no CUDA here: leave --device cuda out, or run on a machine with a GPU")


def measured(name: str, options: Options, arguments: Sequence[str]) -> dict[str, Any]:
    """Run one part; its results for JSON."""
    from benchmarks import machine

    about = machine.describe(options.device)
    line = shlex.join(["python", "-m", "benchmarks", *arguments])
    settings = {"command": line, "quick": options.quick, "device": options.device}
    where = about.get("gpu", f"{about['cpu']}, {about['threads']} threads")
    print(f"\n== {name}: {PARTS[name].about}\n   {where}, torch {about['versions']['torch']}")
    findings = Findings(name, settings)
    importlib.import_module(f"benchmarks.parts.{name}").run(options, findings)
    return findings.as_dict(about)


if __name__ == "__main__":
    command(main)
