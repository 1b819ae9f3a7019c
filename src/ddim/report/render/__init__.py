"""A report's content as Markdown, HTML, LaTeX, CSV and lines on a terminal."""
