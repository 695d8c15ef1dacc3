"""`flask spayon templates copy`: a start for the shop's own pages."""

from collections.abc import Callable
from pathlib import Path

from spayon_flask.cli.develop import NAMES
from tests.cli.conftest import Run
from tests.shop import Shop


def test_the_named_templates_are_copied_or_else_all(run: Run, tmp_path: Path) -> None:
    for names, expected in ((("return", "cancel"), ["cancel", "return"]), ((), sorted(NAMES))):
        folder = tmp_path / str(len(names))
        assert run("templates", "copy", *names, "--to", str(folder)).exit_code == 0
        assert sorted(path.stem for path in (folder / "spayon").iterdir()) == expected


def test_what_is_there_is_overwritten_by_force_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "spayon").mkdir()
    mine = tmp_path / "spayon" / "return.html"
    mine.write_text("mine")

    result = run("templates", "copy", "--to", str(tmp_path))

    assert result.exit_code == 1
    assert str(mine) in result.output
    assert mine.read_text() == "mine"
    assert not (tmp_path / "spayon" / "base.html").exists()
    assert run("templates", "copy", "return", "--to", str(tmp_path), "--force").exit_code == 0
    assert "mine" not in mine.read_text()


def test_a_folder_that_cannot_be_written_is_said_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = run("templates", "copy", "base", "--to", str(tmp_path / "file" / "templates"))

    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith("Error: Could not open file")


def test_the_apps_own_folder_is_the_default(shop: Shop, run: Run, tmp_path: Path) -> None:
    shop.app.root_path = str(tmp_path)

    run("templates", "copy", "error")

    assert (tmp_path / "templates" / "spayon" / "error.html").exists()


def test_a_copied_page_renders_in_place_of_ours(
    own_shop: Callable[..., Shop], tmp_path: Path
) -> None:
    shop = own_shop()
    run = shop.app.test_cli_runner().invoke
    shop.add_payment()
    shop.app.template_folder = str(tmp_path)
    run(args=["spayon", "templates", "copy", "--to", str(tmp_path)])
    base = tmp_path / "spayon" / "base.html"
    base.write_text(base.read_text() + "<!-- ours, changed -->")

    page = shop.app.test_client().get("/pay/cancel/reference-of-S1-A1")

    assert page.status_code == 200
    assert page.text.endswith("<!-- ours, changed -->")
