import pytest

from homerun.cli.errors import ApiError, CommandFailed, Interrupted, Unreachable


@pytest.mark.parametrize(
    "error,code",
    [(CommandFailed("x"), 1), (ApiError("x"), 1), (Unreachable("h:1", "refused"), 3), (Interrupted("x"), 130)],
)
def test_exit_codes(error: CommandFailed, code: int) -> None:
    assert error.exit_code == code


def test_unreachable_is_one_line_with_the_remedy() -> None:
    message = Unreachable("h:1", "connection refused").message
    assert "homerun up" in message and "h:1" in message and "\n" not in message


def test_an_error_is_shown_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    CommandFailed("it broke").show()
    Interrupted("bye").show()
    assert capsys.readouterr().err == "Error: it broke\n\nbye\n"


def test_not_found_is_told_by_status_not_by_text() -> None:
    assert ApiError("x", 404, "NOT_FOUND").not_found
    assert not ApiError("NOT_FOUND", 404, "").not_found
