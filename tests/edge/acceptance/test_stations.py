from pathlib import Path

import pytest

from edge.acceptance.stations import StationsError, read_stations
from tests.edge.acceptance.staged_walk import site


def read(folder: Path, text: str) -> object:
    path = folder / "stations.csv"
    path.write_text(text, encoding="utf-8")
    return read_stations(path, site())


def test_places_are_given_in_mine_metres_or_by_chainage(tmp_path: Path) -> None:
    text = "\ufeffstation,x_m,y_m,chainage_m,left_m,note\n1,12,0.5,,,by the door\n\n2,,,30,-1,\n"
    first, second = read_stations(_file(tmp_path, text), site())
    assert (first.xy_m, first.stay_s, first.note) == ((12.0, 0.5), 10.0, "by the door")
    assert second.xy_m == pytest.approx((30.0, -1.0))
    assert second.where == ("metre 30.0", "里程 30.0 米")


def test_a_place_is_told_by_its_support(tmp_path: Path) -> None:
    from scene.landmarks_config import SupportsConfig

    faced = site().model_copy(
        update={"supports": SupportsConfig(first=1, last=20, chainage_m=2.0, spacing_m=1.75)}
    )
    (stop,) = read_stations(_file(tmp_path, "station,chainage_m\n3,24.75\n"), faced)
    assert stop.where == ("support 14", "14 号支架")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "station"),
        ("station,x_m,y_m\n", "has no station"),
        ("station,x_m\n1,2\n", "give the columns"),
        ("station,x_m,y_m,colour\n1,2,0,red\n", "'colour' is not a column"),
        ("station,x_m,y_m\n,2,0\n", ":2: station: is empty"),
        ("station,x_m,y_m\n1,two,0\n", ":2: x_m: give a number, not 'two'"),
        ("station,x_m,y_m\n1,nan,0\n", "x_m: give a number"),
        ("station,x_m,y_m\n1,2,\n", "y_m: give a number"),
        ("station,x_m,y_m\n1,2,0,4,5\n", "more fields"),
        ("station,x_m,y_m\n1,2,90\n", "88 m beside the floor"),
        ("station,x_m,y_m\n1,2,0\n1,3,0\n", "1 is given twice"),
        ("station,x_m,y_m,stay_s\n1,2,0,1\n", "stay_s: give 3 to 600"),
        ("station,x_m,y_m,chainage_m\n1,2,0,4\n", "not both"),
        ("station,x_m,y_m,expect\n1,2,0,fire\n", "expect: fire is no kind"),
        ("station,x_m,y_m,expect\n1,2,0,camera_lost\n", "no kind of alarm about people"),
        ("station,x_m,y_m,expect\n1,2,0,near_danger\n", "does not watch for near_danger"),
        ("station,x_m,y_m,expect,zone\n1,2,0,man_down,pit\n", "pit is no zone"),
        ("station,x_m,y_m,expect,zone\n1,2,0,,switchgear\n", "without `expect`"),
        ("station,x_m,y_m,note\n1,2,0," + "x" * 99 + "\n", "note: give at most"),
        ('station,x_m,y_m\n"1,2,0\n', "is no CSV"),
    ],
)
def test_each_mistake_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(StationsError) as told:
        read(tmp_path, text)
    assert "stations.csv" in str(told.value)
    assert words in str(told.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StationsError) as told:
        read(tmp_path, "station,x_m,y_m\n1,a,0\n2,b,0\n")
    assert len(str(told.value).splitlines()) == 2


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StationsError, match="no such file of stations"):
        read_stations(tmp_path / "none.csv", site())


def _file(folder: Path, text: str) -> Path:
    path = folder / "stations.csv"
    path.write_text(text, encoding="utf-8")
    return path
