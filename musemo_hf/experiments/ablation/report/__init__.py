"""The report of an ablation: its figures as plain data, and the pages made of them.

`report.py` gathers the figures, the other modules hold one part of them each, and `page.py` writes Markdown and HTML.
"""
