"""How people change the still view's light: their shadows, cap lamps, and the dust that glows.

Compiled by numba. Knows nothing about triangles, lenses or files.
"""

# mypy: ignore-errors
# ruff: noqa: PLR0912, PLR0915, PLR0917

from __future__ import annotations

import math

import numba as nb
import numpy as np

fast = nb.njit(fastmath=True, cache=True)
fast_parallel = nb.njit(parallel=True, fastmath=True, cache=True)

_ANGLE = np.arccos(1 - np.linspace(0, 1, 4097) ** 2)
_SPOT = np.exp(-((_ANGLE / 0.085) ** 2)) + 0.06 * np.exp(-((_ANGLE / 0.22) ** 2))
_SPOT = _SPOT.astype(np.float32)


@fast
def spot(cos_angle, candela, spill):
    """Give a cap lamp's intensity off its axis: a narrow beam, a corona, a wide spill."""
    if cos_angle <= 0:
        return 0.0
    u = math.sqrt(max(1.0 - cos_angle, 0.0)) * 4096.0
    i = min(int(u), 4095)
    f = u - i
    return candela * (_SPOT[i] * (1 - f) + _SPOT[i + 1] * f) + spill * cos_angle


@fast
def limb_shadow(px, py, pz, lx, ly, lz, limbs, first, last, t_min, softness):
    """Give the share of light from L that reaches P past the capsules limbs[first:last]."""
    dx, dy, dz = lx - px, ly - py, lz - pz
    far = math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-6
    dx, dy, dz = dx / far, dy / far, dz / far
    share = 1.0
    for c in range(first, last):
        ax, ay, az, r = limbs[c, 0], limbs[c, 1], limbs[c, 2], limbs[c, 6]
        ux, uy, uz = limbs[c, 3] - ax, limbs[c, 4] - ay, limbs[c, 5] - az
        wx, wy, wz = px - ax, py - ay, pz - az
        b = dx * ux + dy * uy + dz * uz
        uu = ux * ux + uy * uy + uz * uz
        d = dx * wx + dy * wy + dz * wz
        e = ux * wx + uy * wy + uz * wz
        denominator = uu - b * b
        s = (e - b * d) / denominator if denominator > 1e-8 else 0.0
        s = min(max(s, 0.0), 1.0)
        t = max(s * b - d, t_min)
        if t > far - 0.02:
            continue
        s = ((wx + t * dx) * ux + (wy + t * dy) * uy + (wz + t * dz) * uz) / uu
        s = min(max(s, 0.0), 1.0)
        qx, qy, qz = wx + t * dx - s * ux, wy + t * dy - s * uy, wz + t * dz - s * uz
        distance = math.sqrt(qx * qx + qy * qy + qz * qz)
        penumbra = softness * t * far / (far - t + 0.3) + 0.006
        k = (distance - r) / penumbra * 0.5 + 0.5
        if k <= 0:
            return 0.0
        if k < 1:
            share *= k * k * (3 - 2 * k)
    return share


@fast_parallel
def relight(
    radiance, albedo, normal, position, lamp_seen, lamps, limbs, limb_start, centres,
    beams, beam_seen, bounces, out,
):  # fmt: skip
    """Add the people's shadows and cap lamps to the still view, into `out` (H, W, 3).

    lamps (l, 4): xyz, candela; lamp_seen (l, H, W), beam_seen (m, H, W) 0..255; the rest as in
    `raster.shade_people`.
    """
    height, width = radiance.shape[:2]
    people = limb_start.shape[0] - 1
    for y in nb.prange(height):
        for x in range(width):
            r, g, b = radiance[y, x, 0], radiance[y, x, 1], radiance[y, x, 2]
            if r > 40.0:  # a lamp
                out[y, x, 0] = r
                out[y, x, 1] = g
                out[y, x, 2] = b
                continue
            px, py, pz = position[y, x, 0], position[y, x, 1], position[y, x, 2]
            nx, ny, nz = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            ar, ag, ab = albedo[y, x, 0], albedo[y, x, 1], albedo[y, x, 2]
            for m in range(people):
                ex, ey = px - centres[m, 0], py - centres[m, 1]
                plan2 = ex * ex + ey * ey
                if plan2 >= 64.0:
                    continue
                for i in range(lamps.shape[0]):
                    if lamp_seen[i, y, x] == 0:
                        continue
                    lx, ly, lz = lamps[i, 0], lamps[i, 1], lamps[i, 2]
                    dx, dy, dz = lx - px, ly - py, lz - pz
                    if dx * dx > 150.0 or nx * dx + ny * dy + nz * dz <= 0:
                        continue
                    # In plan, the miner must be near the line from the point to the lamp.
                    t = -(ex * dx + ey * dy) / (dx * dx + dy * dy + 1e-6)
                    t = min(max(t, 0.0), 1.0)
                    fx, fy = ex + t * dx, ey + t * dy
                    if fx * fx + fy * fy > 1.2:
                        continue
                    share = limb_shadow(
                        px + 0.03 * nx, py + 0.03 * ny, pz + 0.03 * nz, lx, ly, lz,
                        limbs, limb_start[m], limb_start[m + 1], 0.0, 0.06,
                    )  # fmt: skip
                    if share < 1:
                        d2 = dx * dx + dy * dy + dz * dz
                        d = math.sqrt(d2)
                        cos_in = (nx * dx + ny * dy + nz * dz) / d
                        light = lamps[i, 3] * math.sqrt(max(1 - (dx / d) ** 2, 0.0)) * cos_in / d2
                        light *= (lamp_seen[i, y, x] / 255.0) * (1 - share) / math.pi
                        r = max(r - light * ar, 0.12 * r)
                        g = max(g - light * ag * 0.97, 0.12 * g)
                        b = max(b - light * ab * 0.9, 0.12 * b)
                if plan2 < 2.2:  # contact shadow
                    near = 0.0
                    for c in range(limb_start[m], limb_start[m + 1]):
                        ux, uy, uz = (
                            limbs[c, 3] - limbs[c, 0],
                            limbs[c, 4] - limbs[c, 1],
                            limbs[c, 5] - limbs[c, 2],
                        )
                        wx, wy, wz = px - limbs[c, 0], py - limbs[c, 1], pz - limbs[c, 2]
                        s = (wx * ux + wy * uy + wz * uz) / (ux * ux + uy * uy + uz * uz)
                        s = min(max(s, 0.0), 1.0)
                        qx, qy, qz = s * ux - wx, s * uy - wy, s * uz - wz
                        q2 = qx * qx + qy * qy + qz * qz
                        cos_in = (qx * nx + qy * ny + qz * nz) / (math.sqrt(q2) + 1e-4)
                        near += max(cos_in, 0.0) * min(limbs[c, 6] ** 2 * 1.6 / (q2 + 1e-3), 1.0)
                    k = math.exp(-0.9 * near)
                    r, g, b = r * k, g * k, b * k
            for i in range(beams.shape[0]):
                if beams[i, 6] <= 0:
                    continue
                dx, dy, dz = px - beams[i, 0], py - beams[i, 1], pz - beams[i, 2]
                d2 = dx * dx + dy * dy + dz * dz + 0.02
                d = math.sqrt(d2)
                cos_beam = (dx * beams[i, 3] + dy * beams[i, 4] + dz * beams[i, 5]) / d
                cos_in = -(nx * dx + ny * dy + nz * dz) / d
                light = 0.0
                if cos_beam > 0 and cos_in > 0 and beam_seen[i, y, x] > 0:
                    light = spot(cos_beam, beams[i, 6], beams[i, 7]) * cos_in / d2
                    light *= beam_seen[i, y, x] / 255.0
                    if light > 0.02:
                        for m in range(people):
                            if m != int(beams[i, 8]):
                                light *= limb_shadow(
                                    px, py, pz, beams[i, 0], beams[i, 1], beams[i, 2],
                                    limbs, limb_start[m], limb_start[m + 1], 0.02, 0.012,
                                )  # fmt: skip
                qx, qy, qz = bounces[i, 0] - px, bounces[i, 1] - py, bounces[i, 2] - pz
                q2 = qx * qx + qy * qy + qz * qz
                if bounces[i, 6] > 0 and q2 < 49.0:
                    d = math.sqrt(q2) + 1e-4
                    cos_out = -(qx * bounces[i, 3] + qy * bounces[i, 4] + qz * bounces[i, 5]) / d
                    cos_in = max((qx * nx + qy * ny + qz * nz) / d, 0.0)
                    light += bounces[i, 6] * max(cos_out, 0.1) * cos_in / (q2 + 0.3)
                r += light * ar / math.pi * 0.93  # cool white
                g += light * ag / math.pi
                b += light * ab / math.pi * 1.08
            out[y, x, 0] = r
            out[y, x, 1] = g
            out[y, x, 2] = b


@fast_parallel
def glow(rays, reach, camera, lamps, beams, dust, forward, steps, jitter, out):
    """March (h, w) rays to `reach` metres through dust lit by lamps and cap lamps.

    Single scattering with the Henyey-Greenstein phase function of asymmetry `forward`.
    """
    h, w = reach.shape
    g2 = forward * forward
    for y in nb.prange(h):
        for x in range(w):
            total, red, green, blue = reach[y, x], 0.0, 0.0, 0.0
            dx, dy, dz = rays[y, x, 0], rays[y, x, 1], rays[y, x, 2]
            for s in range(steps):
                u = (s + jitter[y % 64, x % 64]) / steps
                t = total * u * (0.3 + 0.7 * u)  # closer steps near the camera
                dt = total / steps * (0.3 + 1.4 * u)
                px, py, pz = camera[0] + t * dx, camera[1] + t * dy, camera[2] + t * dz
                through = math.exp(-dust * t) * dust * dt
                for i in range(lamps.shape[0]):
                    ex, ey, ez = px - lamps[i, 0], py - lamps[i, 1], pz - lamps[i, 2]
                    d2 = ex * ex + ey * ey + ez * ez + 0.03
                    d = math.sqrt(d2)
                    c = -(ex * dx + ey * dy + ez * dz) / d
                    q = 1 + g2 - 2 * forward * c
                    phase = (1 - g2) / (12.566 * q * math.sqrt(q))
                    light = through * phase * lamps[i, 3] * math.exp(-dust * d) / d2
                    light *= math.sqrt(max(1 - (ex / d) ** 2, 0.0))
                    red += light
                    green += light * 0.97
                    blue += light * 0.9
                for i in range(beams.shape[0]):
                    if beams[i, 6] <= 0:
                        continue
                    ex, ey, ez = px - beams[i, 0], py - beams[i, 1], pz - beams[i, 2]
                    d2 = ex * ex + ey * ey + ez * ez + 0.02
                    d = math.sqrt(d2)
                    cos_beam = (ex * beams[i, 3] + ey * beams[i, 4] + ez * beams[i, 5]) / d
                    if cos_beam <= 0.2 or d2 > 900.0:
                        continue
                    c = -(ex * dx + ey * dy + ez * dz) / d
                    q = 1 + g2 - 2 * forward * c
                    phase = (1 - g2) / (12.566 * q * math.sqrt(q))
                    light = through * phase * spot(cos_beam, beams[i, 6], beams[i, 7]) / d2
                    light *= math.exp(-dust * d)
                    red += light * 0.93
                    green += light
                    blue += light * 1.08
            out[y, x, 0] = red
            out[y, x, 1] = green
            out[y, x, 2] = blue
