"""Names and places."""

from pathlib import Path

from homerun.engine.oci.layout import Layout


def test_the_tag_belongs_to_the_folder_whatever_it_is_called_by(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "state")
    layout = Layout(tmp_path / "state")
    assert len(layout.tag) == 6 and int(layout.tag, 16) >= 0
    assert Layout(tmp_path / "link").tag == layout.tag
    assert Layout(tmp_path / "other").tag != layout.tag
    assert layout.cgroup == f"homerun-{layout.tag}"


def test_folders_are_made_for_root_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "a/b")
    layout.make()
    layout.make()
    for folder in (layout.state, layout.sandbox, layout.instances, layout.logs, layout.run):
        assert folder.stat().st_mode & 0o777 == 0o700
