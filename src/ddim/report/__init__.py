"""The report of one experiment: from its records to tables, figures and a page.

It reads records alone, composes no configuration, and no module here imports torch. Data flows
one way:

    numbers         how a number is written
    paper           the published tables;  comparability: whether ours is comparable with them
    protocol        Results -> the line under every table
    findings        the paper's trends, worded as the numbers have them
    tables          Results -> Table;  plots: Results -> Plot
    content         all of these -> Document, the results
    timings         wall times, devices, dates, revisions -> Document, apart from the results
    render/         Document -> README.md, index.html, tables/*.tex, figures/*, the terminal
    build           writes `reports/<name>/`;  compare: several reports side by side
"""
