"""How much of a song survives log-mel and inversion: Griffin-Lim, finer grids and vocoders on real songs."""
