"""The report of one experiment: from its records to tables, figures and a page.

It reads records alone, composes no configuration, and no module here imports torch. Data flows
one way:

    numbers         how a number is written
    paper           the published tables;  comparability: whether ours is comparable with them
    protocol        Results -> the line under every table
    verdicts        the claims of Tables 1 and 2, decided, and those of the sections: the panel
    findings        what the verdicts do not say: the best cell against the floor
    tables          Results -> Table;  plots: Results -> Plot and heat map;  glossary
    content         all of these -> Document: README.md shows its blocks, the page `more` as well
    timings         wall times, devices, dates, revisions -> Document, apart from the results
    render/         Document -> README.md, index.html, tables/*.tex, figures/*, the terminal
    build           writes `reports/<name>/`;  compare: several reports side by side
"""
