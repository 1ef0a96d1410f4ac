"""Advice about what neighbours share: too little of it, too few matches, or matches that disagree.

Knows nothing about survey points or pages.
"""

from collections.abc import Iterator
from itertools import pairwise

from edge.calibration.figures import Figures, PairFit
from edge.calibration.proof import contradicting, least_matches, unproven
from scene.html_page import Both

Found = Iterator[tuple[str, Both]]
"""What it is about, and what to do."""

SMALL_OVERLAP = 0.15
AGREEING = 0.5
"""Share of a pair's matches that should agree."""
DARK = 40.0
"""Mean grey level below which more light is asked for."""


def small_overlap(found: Figures) -> Found:
    """Find neighbours that share little or nothing."""
    known = {(pair.first, pair.second): pair for pair in found.pairs}
    for first, second in pairwise(camera.name for camera in found.cameras):
        pair = known.get((first, second))
        share = 0.0 if pair is None else pair.overlap
        if share >= SMALL_OVERLAP or pair in contradicting(found):
            continue
        en = f"overlaps only {share:.0%} with {second}" if share else f"does not overlap {second}"
        zh = f"与 {second} 仅重叠 {share:.0%}" if share else f"与 {second} 不重叠"
        yield (
            f"{first}-{second}",
            (
                f"{first} {en}: turn one of them towards the other until a fifth is shared",
                f"{first} {zh}：请将其中一台转向另一台，使重叠达到五分之一",
            ),
        )


def few_matches(found: Figures) -> Found:
    """Find neighbours that share enough, and yet hardly a point that could be matched."""
    # Those that share little are spoken of already, and that is the cause of it.
    apart = contradicting(found)
    weak = [pair for pair in unproven(found) if pair.overlap >= SMALL_OVERLAP and pair not in apart]
    dark = {camera.name for camera in found.cameras if camera.brightness < DARK}
    dim = [pair for pair in weak if dark & {pair.first, pair.second}]
    plain = [pair for pair in weak if pair not in dim]
    if dim:
        names = sorted(dark & {name for pair in dim for name in (pair.first, pair.second)})
        yield _said_of_matches(dim, DIM[0] + ", ".join(names), DIM[1] + "、".join(names))
    if plain:
        yield _said_of_matches(plain, *(UNPROVEN if found.strip else UNMATCHED))


DIM: Both = ("give more light to ", "请增加照明：")
UNPROVEN: Both = (
    "survey two spots in each overlap that both cameras see (or put up markers there), to prove "
    "that they agree",
    "请在每处重叠区测量两个双方均可见的点（或布设标志），以验证两者一致",
)
UNMATCHED: Both = (
    "clean the lenses, and put up something with texture (signs, markers) in the overlap",
    "请清洁镜头，并在重叠区布设有纹理的标牌或标志",
)


def _said_of_matches(pairs: list[PairFit], en: str, zh: str) -> tuple[str, Both]:
    names = [f"{pair.first}-{pair.second}" for pair in pairs]
    counts = sorted({pair.agreeing for pair in pairs})
    few = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    overlap = f"{min(pair.overlap for pair in pairs):.0%}"
    return (
        ", ".join(names),
        (
            f"{', '.join(names)}: at least {overlap} of the picture is shared, but {few} matched "
            f"points agree: {en}",
            f"{'、'.join(names)}：重叠至少 {overlap}，但一致的匹配点仅 {counts[-1]} 个：{zh}",
        ),
    )


def contradictory(found: Figures) -> Found:
    """Find pairs whose many matches lie somewhere else than the rig says."""
    for pair in contradicting(found):
        name = f"{pair.first}-{pair.second}"
        yield (
            name,
            (
                f"{name} contradicts the other pairs: {pair.agreeing} of its {pair.matches} "
                f"matches agree with the rig, the middle one misses by {pair.off_px:.0f} px. "
                "If both show the same place, state rig.lens.hfov_deg (a ring of cameras closes "
                "only with the right lens) and see that all hang within 0.2 m of each other; if "
                "they show two places that look alike, cover a sign or a pattern that comes twice",
                f"{name} 与其他重叠区矛盾：{pair.matches} 个匹配点中仅 {pair.agreeing} 个与标定"
                f"一致，中位误差 {pair.off_px:.0f} px。若两者所见为同一处，请给定 "
                "rig.lens.hfov_deg（镜头参数正确，环形才能闭合），并使各摄像机间距小于 0.2 米；"
                "若为两处相似景物，请遮盖重复的标牌或图案",
            ),
        )


def disagreeing(found: Figures) -> Found:
    """Find pairs most of whose matches contradict the rig."""
    apart = contradicting(found)
    for pair in found.pairs:
        if pair in apart:
            continue
        if pair.matches >= least_matches(found) and pair.agreeing < AGREEING * pair.matches:
            yield f"{pair.first}-{pair.second}", _said_of_agreement(pair, found.strip)


def _said_of_agreement(pair: PairFit, strip: bool) -> Both:
    share = f"{pair.agreeing / pair.matches:.0%}"
    en = f"only {share} of the matches of {pair.first} and {pair.second} agree: calibrate while "
    en += "nothing moves, and "
    zh = f"{pair.first} 与 {pair.second} 的匹配点仅 {share} 一致：请在无移动物体时标定，并"
    if strip:
        return (
            en + "check the walls' distances in panorama.surface",
            zh + "检查 panorama.surface 中的巷帮距离",
        )
    return en + "see that both hang within 0.2 m of each other", zh + "使两者间距小于 0.2 米"
