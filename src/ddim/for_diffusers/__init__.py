"""What diffusers can use of ours: `ddim.interop` has it under its public names. No stage needs it.

scheduler    the paper's samplers as a scheduler
encoding     images to latents and back, with any pipeline
"""
