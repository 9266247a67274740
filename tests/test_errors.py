"""What is an outage, and what a fault of the bot."""

from bot.errors import StoreError, Temporary, outage

FULL = StoreError("the disk is full")


def test_an_error_of_ours_is_an_outage_however_deep_it_is_in_groups() -> None:
    assert outage(FULL) is FULL
    assert outage(ExceptionGroup("", [ExceptionGroup("", [FULL]), Temporary("later")])) is FULL


def test_a_fault_of_the_bot_is_none_whatever_is_beside_it() -> None:
    assert outage(ValueError()) is None
    assert outage(ExceptionGroup("", [FULL, ExceptionGroup("", [FULL, ValueError()])])) is None
