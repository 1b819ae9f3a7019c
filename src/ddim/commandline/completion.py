"""ddim completion SHELL: print what a shell needs to complete `ddim`, its programs and settings.

bash: eval "$(ddim completion bash)"; zsh, fish and others likewise, as argcomplete has them.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import argcomplete
from argcomplete.completers import FilesCompleter
from argcomplete.shell_integration import shellcode

from ddim.commandline.programs import PROGRAMS, WITH_SETTINGS, WITH_WEIGHTS
from ddim.runtime.cli import Parser, command
from ddim.runtime.groups import all_groups
from ddim.runtime.usage import filled

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")


def answer() -> None:
    """Print what may stand where the cursor is, as the shell's variables say, and end."""
    parser = argparse.ArgumentParser(prog="ddim")
    parser.add_argument("program").completer = _programs  # type: ignore[attr-defined]
    parser.add_argument("words", nargs="*").completer = _words  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser)


def _programs(**_: object) -> dict[str, str]:
    return {name: program.summary for group in PROGRAMS.values() for name, program in group.items()}


def _words(prefix: str, parsed_args: argparse.Namespace, **_: object) -> Iterable[str]:
    """What may follow a program: settings and groups of conf/, or files."""
    program = parsed_args.program
    if program == "completion":
        return SHELLS
    files = FilesCompleter()(prefix) if program not in WITH_SETTINGS else ()
    return [*files, *(candidates(program, prefix) if program in WITH_SETTINGS else ())]


def candidates(program: str, prefix: str) -> list[str]:
    """Settings of `program` that begin with `prefix`; after `group=`, the choices there are."""
    from ddim.config.schema import Config
    from ddim.records import published
    from ddim.runtime.declared import keys

    choices = all_groups(Path("conf"))
    if program in WITH_WEIGHTS:
        choices["weights"] = published.names()
    key, equals, _ = prefix.partition("=")
    if equals:
        return [f"{key}={name}" for name in choices.get(key, ())]
    single = [key for key in keys(Config) if not _is_section(key, keys(Config))]
    return [f"{key}=" for key in sorted({*single, *choices}) if key.startswith(prefix)]


def _is_section(key: str, declared: Sequence[str]) -> bool:
    return any(other.startswith(f"{key}.") for other in declared)


def main(arguments: Sequence[str]) -> None:
    """The command line of `ddim completion`."""
    parser = Parser(prog="ddim completion", description=filled(__doc__))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=SHELLS)
    shell = parser.parse_args(arguments).shell
    print(shellcode(["ddim"], shell=shell))


if __name__ == "__main__":
    command(main)
