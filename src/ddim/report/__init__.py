"""The report of one experiment: from committed JSON and PNG to tables, figures and a page.

Data flows one way, and no module here imports torch:

    cells      the grid of the configuration -> Results (a missing cell is an error)
    estimates  Results -> mean, interval and spread per cell; which neighbours differ
    paper      the published tables;  comparable: whether a number may stand beside them
    protocol   Results -> the line that stands under every table
    findings   the trends, said as the numbers have them
    tables     Results -> Table;  figures, curves: still and interactive plots
    content    all of these -> one Document
    markdown, page, latex    Document -> README.md, index.html, tables/*.tex
    build      writes reports/<name>/;  compare: several reports side by side
"""
