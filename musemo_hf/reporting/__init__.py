"""What several reports share: figures, page templates, and provenance.

The reports themselves stand beside what they report on, in `experiments` and in `commands`.
"""
