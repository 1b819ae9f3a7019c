"""Which file holds Inception's published weights. Imports no torch: the report asks too."""

FILE = "weights-inception-2015-12-05-6726825d.pth"  # an asset of torch-fidelity's release v0.2.0
SHA256 = FILE.removesuffix(".pth").rsplit("-", 1)[1]  # its first digits
