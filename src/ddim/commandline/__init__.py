"""The programs that a person runs in a terminal, beside the pipeline's stages. No result is theirs.

programs       what `ddim` can do: each name, its module, and a line about it
completion     what a shell completes
inputs         an image file, a held-out image or a seed, as the network takes it
encode, interpolate, edit    what a latent is good for, on a report's weights or one's own
own            from a folder of the user's images to a report
survey         a first look at such a folder, from which `own` makes its plan
costs          how fast this machine runs a network, and what an experiment asks of it
doctor         what this machine has, and what each experiment would cost on it
"""
