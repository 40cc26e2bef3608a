"""The report of a study: its figures as plain data, its aims and findings, and the page.

`report.py` gathers the figures and `page.py` writes Markdown and HTML.
"""
