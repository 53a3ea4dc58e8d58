import io
import tarfile
from pathlib import Path

import pytest

from homerun.cli.build import build
from homerun.cli.errors import ApiError, CommandFailed, Interrupted
from homerun.cli.progress import Progress
from homerun.cli.session import Session
from tests.support.fake_api import FakeApi

URL = "/homerun/v1/projects/p/locations/r/builds"


def run(folder: Path) -> tuple[str, str]:
    (folder / "Dockerfile").write_text("FROM scratch")
    said = io.StringIO()
    image = build(Session("h:1", "p", "r", "table"), "hello", str(folder), Progress(said))
    return image, said.getvalue()


def test_a_build_sends_the_folder_and_shows_the_log(api: FakeApi, tmp_path: Path) -> None:
    api.on("UPLOAD", URL, lambda body: [{"log": "STEP 1"}, {"image": "localhost/hello:1"}])
    image, said = run(tmp_path)
    assert image == "localhost/hello:1"
    assert "STEP 1" in said
    (asked,) = api.asked
    assert asked.query == {"name": "hello"}
    with tarfile.open(fileobj=io.BytesIO(asked.body)) as archive:
        assert archive.getnames() == ["Dockerfile"]


def test_a_failed_build_is_the_daemons_error(api: FakeApi, tmp_path: Path) -> None:
    api.on("UPLOAD", URL, lambda body: [{"error": {"message": "RUN exited with 1", "status": "FAILED_PRECONDITION"}}])
    with pytest.raises(ApiError, match="RUN exited with 1"):
        run(tmp_path)


def test_a_build_that_breaks_off_is_an_error(api: FakeApi, tmp_path: Path) -> None:
    api.on("UPLOAD", URL, lambda body: [{"log": "STEP 1"}])
    with pytest.raises(CommandFailed, match="without an image"):
        run(tmp_path)


def test_ctrl_c_cancels_the_build_and_says_so(api: FakeApi, tmp_path: Path) -> None:
    def interrupted(body: object) -> None:
        raise KeyboardInterrupt

    api.on("UPLOAD", URL, interrupted)
    with pytest.raises(Interrupted, match="nothing was deployed"):
        run(tmp_path)
