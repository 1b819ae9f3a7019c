"""ddim export WEIGHTS FOLDER: our weights as a diffusers pipeline folder, with a model card.

WEIGHTS is a report (digits: its weights, and its numbers in the card) or a weights file. diffusers'
DDIMPipeline loads and samples from FOLDER, which must not exist yet.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ddim.records import published, results
from ddim.runtime.cli import Parser, command
from ddim.runtime.usage import filled


def main(arguments: Sequence[str]) -> None:
    """The command line of `ddim export`."""
    parser = Parser(prog="ddim export", description=filled(__doc__))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("weights", help="digits, or out/digits/train/ema.safetensors")
    parser.add_argument("folder", help="to be written")
    args = parser.parse_args(arguments)
    from ddim.interop import pipeline_folder

    path, card = _with_card(args.weights, Path(args.folder).name)
    pipeline_folder.export(path, args.folder, card)
    print(f"{args.folder}: load it with diffusers.DDIMPipeline.from_pretrained({args.folder!r})")


def _with_card(weights: str, folder: str) -> tuple[Path, str]:
    """The weights file that `weights` names, and its model card."""
    from ddim.report import model_card
    from ddim.weights import describe

    path = Path(weights)
    if path.suffix != ".safetensors":
        found = published.find(weights)
        return found.file, model_card.of_report(results.load(found.report), folder)
    about = describe(path)
    if published.report_of(weights) is not None:
        try:
            found = published.find(weights)
            return path, model_card.of_report(results.load(found.report), folder)
        except (FileNotFoundError, ValueError) as error:
            print(f"the model card has no numbers: {error}")
    return path, model_card.of_file(about["info"], about["kind"], folder)


if __name__ == "__main__":
    command(main)
