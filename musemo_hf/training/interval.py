"""Whether something that is done every so many updates is due."""


def is_due(step: int, every: int, done: bool) -> bool:
    """After `step` updates; at the end of a run everything is.

    Args:
        step: updates made, from 1.
        every: updates between two times; 0 for none but the last.
        done: whether the run has ended.

    Raises:
        ValueError: a negative `every`.
    """
    if every < 0:
        raise ValueError(f"expected updates between two times, or 0 for none but the last, got {every}")
    return done or (every > 0 and step % every == 0)
