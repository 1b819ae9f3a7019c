"""The programs that a person runs in a terminal, beside the pipeline's stages. No result is theirs.

programs       what `ddim` can do: each name, its module, and a line about it
help           what `--help` prints of them
completion     what a shell completes
inputs         an image file, a held-out image or a seed, as the network takes it
encode, interpolate, edit    what a latent is good for, on a report's weights or one's own
doctor         what this machine has, and what each experiment would cost on it
"""
