"""Who counts as standing together."""

from scene.messages import Position
from stitching.people.companies import NEAR_M, PARTED_M, SPREAD_M, Companies
from tests.stitching.strip_views import standing


def row(*places_m: float) -> list[Position]:
    return [standing(track, x_m, 1.0) for track, x_m in enumerate(places_m, 1)]


def test_who_stands_near_belongs_together_whatever_the_order() -> None:
    assert Companies().of(row(10.0, 10.0 + NEAR_M - 0.05, 14.0)) == [(0, 1), (2,)]
    assert Companies().of(row(10.0, 14.0, 10.4)) == [(0, 2), (1,)]
    assert Companies().of(row(10.0, 10.0 + NEAR_M + 0.05)) == [(0,), (1,)]
    assert Companies().of([]) == []


def test_a_company_grows_from_one_to_the_next_but_not_without_end() -> None:
    step_m = 0.8
    assert Companies().of(row(10.0, 10.0 + step_m, 10.0 + 2 * step_m)) == [(0, 1, 2)]
    many = Companies().of(row(*(10.0 + step_m * number for number in range(6))))
    assert sorted(bit for company in many for bit in company) == list(range(6))
    assert all((len(company) - 1) * step_m <= SPREAD_M for company in many)


def test_who_was_together_parts_later() -> None:
    companies = Companies()
    between_m = (NEAR_M + PARTED_M) / 2
    assert companies.of(row(10.0, 10.0 + between_m)) == [(0,), (1,)]
    assert companies.of(row(10.0, 10.5)) == [(0, 1)]
    assert companies.of(row(10.0, 10.0 + between_m)) == [(0, 1)]
    assert companies.of(row(10.0, 10.1 + PARTED_M)) == [(0,), (1,)]
    assert companies.of(row(10.0, 10.0 + between_m)) == [(0,), (1,)]
