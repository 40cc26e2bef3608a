"""Frechet distance by Cholesky and symmetric eigenvalues against `scipy.linalg.sqrtm`: python -m benchmarks.frechet."""

from time import perf_counter

import numpy as np
from scipy.linalg import sqrtm

from musemo_hf.evaluation.distances.frechet import frechet_distance, mean_and_covariance


def by_sqrtm(mean_x, cov_x, mean_y, cov_y):
    root = sqrtm(cov_x @ cov_y)
    return np.square(mean_x - mean_y).sum() + np.trace(cov_x + cov_y - 2 * root.real)


def _seconds(function, arguments, repeats):
    times = []
    for _ in range(repeats):
        start = perf_counter()
        function(*arguments)
        times.append(perf_counter() - start)
    return min(times)


def main():
    rng = np.random.default_rng(0)
    for dimension, samples, repeats in ((64, 600, 20), (128, 600, 20), (768, 1600, 2), (768, 174, 2)):
        # deviations over two decades along random axes, as mel-statistics-v1 has them on real music
        rotation = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
        mixing = np.geomspace(1, 1e-2, dimension)[:, None] * rotation
        sides = [mean_and_covariance(rng.standard_normal((samples, dimension)) @ mixing) for _ in range(2)]
        arguments = (*sides[0], *sides[1])
        ours, theirs = (_seconds(function, arguments, repeats) for function in (frechet_distance, by_sqrtm))
        difference = abs(frechet_distance(*arguments) / by_sqrtm(*arguments) - 1)
        print(
            f"frechet distance, {dimension} dimensions, {samples} clips: {1e3 * ours:.1f} ms against "
            f"{1e3 * theirs:.1f} ms of scipy.linalg.sqrtm, {theirs / ours:.1f} x as fast; "
            f"relative difference {difference:.0e}"
        )


if __name__ == "__main__":
    main()
