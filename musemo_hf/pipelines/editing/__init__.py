"""Songs made from given songs, and on the way between emotions, as methods of the pipeline."""
