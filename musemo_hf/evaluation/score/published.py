"""The quality score as it was published, with its errors: only for comparison with published figures."""

import numpy as np

from .composite import standardised_frechet
from .moments import SetMoments


def published_score(reference: SetMoments, candidate: SetMoments) -> float:
    """Compute the literal published formula on sets standardised by the reference.

    0.30 max(0, 100 - FD) + 0.20 x 100 (1 - (|d mean| + |d std|) / 2) + 0.20 x 100 |c_f / c_r| + 0.15 x 100 corr +
    0.15 x 100 (1 - |d range| / range_ref). Its errors are kept: c is `np.corrcoef(x[:, :-1], x[:, 1:])[0, 1]`, which
    correlates mel row 0 with mel row 1 and not frame t with t + 1 (the mean over clips here; the source has one clip);
    its ratio is unbounded, so that too smooth bands are rewarded; the moment, frequency and range parts can be
    negative; and 100 - FD has no scale, as FD depends on the feature space (mel-statistics-v1 here, the source names
    none) and on the number of clips. Compare it only with figures from the same formula.

    Args:
        reference: The moments of real clips.
        candidate: The moments of the clips to score.

    Returns:
        The score, a number without bounds; NaN if a part is undefined.
    """
    difference = abs(candidate.mean - reference.mean) + abs(candidate.deviation - reference.deviation)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = abs(np.divide(candidate.row_correlation, reference.row_correlation))
        profiles = np.corrcoef(reference.profile, candidate.profile)[0, 1]
        ranges = abs(reference.range - candidate.range) / np.float64(reference.range)
    frechet = np.maximum(0, 100 - standardised_frechet(reference, candidate))
    moments = 100 * (1 - difference / reference.deviation / 2)
    return float(0.30 * frechet + 0.20 * moments + 20 * rows + 15 * profiles + 15 * (1 - ranges))
