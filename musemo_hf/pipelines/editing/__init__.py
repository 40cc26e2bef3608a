"""Songs made from given songs, as methods of the pipeline."""
