"""What the lecture and the paper claim, each measured on the trained network: an edit changes it.

A module for each section, with its TITLE, its CLAIM, `measure(context)`, which returns a frozen
dataclass of numbers and images, and `present(result)`, which makes of that the section's text,
tables and figures. What they share:

    context          the network, images, records and feature space, each loaded when first needed
    section_content  what `present` returns, and how it is saved as a record
    section_runner   measures, presents and saves one section
    statistics       fitted orders, distances, moments, a test of norms

The sections and their order in the report: ddim.config.checks.SECTIONS. appendix_a trains a network
of its own and is no section of the pipeline: the stage `discrete` runs it.
"""
