from homerun.lib.errors import HomerunError, Invalid, NotFound, Violation


def test_the_message_is_what_was_said_or_else_the_status() -> None:
    assert NotFound("no such thing").message == "no such thing"
    assert HomerunError().message == "UNKNOWN"


def test_one_wrong_field_is_a_message_and_a_violation() -> None:
    error = Invalid.field("template.timeout", "must be at most 3600s")
    assert error.message == "template.timeout: must be at most 3600s"
    assert error.violations == (Violation("template.timeout", "must be at most 3600s"),)
