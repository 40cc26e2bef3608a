import pytest

from musemo_hf.training.gan.balance import UpdateBalance


def observed(accuracy, iterations, **changes):
    balance = UpdateBalance(**({"window": 5} | changes))
    for _ in range(iterations):
        balance.observe(accuracy)
    return balance


def updates(balance, which, steps=12):
    return sum(getattr(balance, f"updates_{which}")(step) for step in range(steps))


def test_a_winning_discriminator_waits():
    balance = observed(0.95, 5)
    assert (balance.discriminator_every, balance.generator_every) == (2, 1)
    assert (updates(balance, "discriminator"), updates(balance, "generator")) == (6, 12)


def test_a_losing_discriminator_lets_the_generator_wait():
    balance = observed(0.4, 10)
    assert (balance.discriminator_every, balance.generator_every) == (1, 3)
    assert (updates(balance, "discriminator"), updates(balance, "generator")) == (12, 4)


def test_in_the_band_nothing_changes():
    for accuracy in (0.7, 0.75, 0.8):
        balance = observed(accuracy, 50)
        assert (balance.discriminator_every, balance.generator_every) == (1, 1)


def test_it_comes_back_one_interval_a_window():
    balance = observed(0.95, 10)
    assert balance.discriminator_every == 3
    for expected in ((2, 1), (1, 1), (1, 2)):
        for _ in range(5):
            balance.observe(0.5)
        assert (balance.discriminator_every, balance.generator_every) == expected


def test_the_longest_interval_is_kept_and_someone_always_updates():
    balance = observed(1.0, 500)
    assert balance.discriminator_every == 4
    assert updates(balance, "generator") == 12
    assert all(balance.updates_discriminator(step) or balance.updates_generator(step) for step in range(20))


def test_no_band_no_balance():
    for accuracy in (0.0, 1.0):
        balance = observed(accuracy, 100, low=0.0, high=1.0)
        assert (balance.discriminator_every, balance.generator_every) == (1, 1)


@pytest.mark.parametrize("cut", [3, 7])
def test_state_goes_on_in_the_middle_of_a_window(cut):
    whole, broken = UpdateBalance(window=5), UpdateBalance(window=5)
    accuracies = [0.9, 0.95, 0.99, 0.8, 0.9, 0.4, 0.3, 0.4, 0.2, 0.1, 0.95, 0.9]
    for index, accuracy in enumerate(accuracies):
        if index == cut:
            state, broken = broken.state_dict(), UpdateBalance(window=5)
            broken.load_state_dict(state)
        whole.observe(accuracy)
        broken.observe(accuracy)
    assert whole == broken
