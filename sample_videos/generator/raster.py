"""Draws triangles into a depth buffer and shades the people and movers they make.

Compiled by numba. Knows nothing about cameras' lenses, files or scripts.
"""

# mypy: ignore-errors
# ruff: noqa: PLR0912, PLR0915, PLR0917, RUF046

from __future__ import annotations

import math

import numba as nb
import numpy as np

from sample_videos.generator.light import fast, fast_parallel, limb_shadow, spot

RIGID = 7
"""Part codes from here on belong to movers: paint, steel, coal, rubber."""


@fast
def rasterise(screen, faces, depth, winner, base):
    """Draw triangles: `screen` (n, 3) is u, v (integer pixel centres) and depth in metres.

    Writes the nearest depth and `base` + the triangle's number into `winner`, both (H, W).
    """
    height, width = depth.shape
    for t in range(faces.shape[0]):
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
        za, zb, zc = screen[a, 2], screen[b, 2], screen[c, 2]
        if za < 0.1 or zb < 0.1 or zc < 0.1:
            continue
        xa, ya = screen[a, 0], screen[a, 1]
        xb, yb = screen[b, 0], screen[b, 1]
        xc, yc = screen[c, 0], screen[c, 1]
        x0 = max(int(math.ceil(min(xa, xb, xc))), 0)
        x1 = min(int(math.floor(max(xa, xb, xc))), width - 1)
        y0 = max(int(math.ceil(min(ya, yb, yc))), 0)
        y1 = min(int(math.floor(max(ya, yb, yc))), height - 1)
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if abs(area) < 1e-9:
            continue
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                w1 = ((x - xa) * (yc - ya) - (xc - xa) * (y - ya)) / area
                w2 = ((xb - xa) * (y - ya) - (x - xa) * (yb - ya)) / area
                w0 = 1 - w1 - w2
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                z = 1.0 / (w0 / za + w1 / zb + w2 / zc)
                if z < depth[y, x]:
                    depth[y, x] = z
                    winner[y, x] = base + t


@fast
def _hash(i, j, k):
    n = (i * 374761393 + j * 668265263 + k * 2147483647 + 1013) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFF) / 65535.0


@fast
def _noise(x, y, z):
    """Value noise, 0..1."""
    i, j, k = int(math.floor(x)), int(math.floor(y)), int(math.floor(z))
    u, v, w = x - i, y - j, z - k
    u = u * u * (3 - 2 * u)
    v = v * v * (3 - 2 * v)
    w = w * w * (3 - 2 * w)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                total += weight * _hash(i + a, j + b, k + c)
    return total


@fast
def _surface(part, look, x, y, z, on_arm, n1, n2, n3):
    """Colour a point of the rest body: r, g, b, gloss, shininess, retro-reflecting."""
    r, g, b, gloss, shine, retro = 0.0, 0.0, 0.0, 0.02, 8.0, 0.0
    if part == 0:  # cloth, with stripes and zip
        vest = look[9] > 0 and on_arm < 0.5 and z > 0.92
        base = 10 if vest else 0
        f = 0.80 + 0.25 * n1 + 0.2 * n3
        r, g, b = look[base] * f, look[base + 1] * f, look[base + 2] * f
        if on_arm > 0.5:
            reach = math.sqrt((abs(y) - 0.185) ** 2 + (z - 1.43) ** 2)
            band = min(abs(reach - 0.40), abs(reach - 0.17))
        elif z < 0.9:
            band = min(abs(z - 0.40), abs(z - 0.52))
        else:
            band = abs(z - 1.12)
            if 1.12 < z < 1.47:
                band = min(band, abs(abs(y) - 0.095))
        if band < 0.025:
            f = 0.85 + 0.3 * n3
            r, g, b, retro = 0.50 * f, 0.51 * f, 0.52 * f, 1.0
        elif band < 0.042:
            r, g, b = look[6], look[7], look[8]
        if on_arm < 0.5 and abs(y) < 0.006 and x > 0 and z > 0.95:
            r, g, b = 0.4 * r, 0.4 * g, 0.4 * b
        if z > 1.0 and n2 > 0.72:
            r, g, b = 0.75 * r, 0.75 * g, 0.75 * b
    elif part == 1:  # skin, eyes, dust mask, hair
        f = 0.85 + 0.3 * n1
        r, g, b, gloss, shine = 0.30 * f, 0.185 * f, 0.13 * f, 0.05, 14.0
        if x > 0.075 and 1.665 < z < 1.682 and abs(abs(y) - 0.03) < 0.016:
            r, g, b = 0.03, 0.025, 0.02
        if x > 0.07 and z < 1.625:
            r, g, b = 0.42, 0.42, 0.42
        if x < 0.0 and z > 1.60:
            r, g, b = 0.03, 0.025, 0.02
    elif part == 2:
        r, g, b, gloss, shine = look[3], look[4], look[5], 0.08, 60.0
    elif part == 3:
        r, g, b, gloss, shine = 0.05, 0.05, 0.055, 0.06, 40.0
    elif part == 4:
        r, g, b, gloss, shine = 0.022, 0.022, 0.024, 0.05, 25.0
    elif part == 5:
        r, g, b = 0.16, 0.12, 0.07
    else:
        r, g, b, gloss, shine = 0.03, 0.03, 0.032, 0.05, 25.0
        if z < 0.98 and abs(y) > 0.17:  # self-rescuer
            r, g, b = 0.30, 0.10, 0.02
    dirt = look[13] * min(max(1.5 * n1 + 0.5 * n2 - 0.55 + 0.55 * max(0.9 - z, 0.0), 0.0), 1.0)
    if retro > 0:
        dirt *= 0.35
    return (
        r + dirt * (0.075 - r),
        g + dirt * (0.072 - g),
        b + dirt * (0.068 - b),
        gloss,
        shine,
        retro,
    )


@fast
def _rigid_surface(part, look, up, n1, n2, n3):
    """Colour a point of a mover as `_surface` does a miner; `up` is its normal's upward part."""
    if part == 7:  # paint, chipped to the steel
        f = 0.75 + 0.25 * n1 + 0.2 * n3
        r, g, b, gloss, shine = look[0] * f, look[1] * f, look[2] * f, 0.05, 25.0
        if n2 > 0.70 and n1 > 0.56:
            r, g, b = 0.11 * f, 0.085 * f, 0.07 * f
    elif part == 8:  # steel, rusty where the noise is high
        rust = min(max(3.0 * (n1 + 0.4 * n2) - 1.7, 0.0), 1.0)
        f = 0.8 + 0.4 * n3
        r = (0.16 + rust * (0.12 - 0.16)) * f
        g = (0.16 + rust * (0.06 - 0.16)) * f
        b = (0.165 + rust * (0.032 - 0.165)) * f
        gloss, shine = 0.16 * (1 - rust) + 0.02, 30.0
    elif part == 9:  # coal: dull and bright bands
        f = 0.008 + 0.028 * n1 * n2 + 0.014 * n3
        r, g, b, gloss, shine = f, f, 1.03 * f, 0.05 * n2, 14.0
        if n3 > 0.78:
            gloss = 0.14
    else:
        r, g, b, gloss, shine = 0.022, 0.022, 0.024, 0.05, 25.0
    dust = look[13] * min(max(0.58 + 0.5 * up + 1.3 * (n1 - 0.5) + 0.5 * (n2 - 0.5), 0.0), 1.0)
    return (
        r + dust * (0.042 - r),
        g + dust * (0.040 - g),
        b + dust * (0.037 - b),
        gloss * (1 - dust),
        shine,
        0.0,
    )


@fast
def _cube(ambient, colour, nx, ny, nz, ix, iy, iz):
    """Give one colour of the light that an ambient cube (6, 3) sheds on a normal."""
    across = nx * nx * ambient[ix, colour] + ny * ny * ambient[iy, colour]
    return across + nz * nz * ambient[iz, colour]


@fast_parallel
def shade_people(
    ys, xs, triangle, screen, vertices, normals, rest, on_arm, part, faces, owner, looks,
    camera, lamps, lamp_share, ambient, limbs, limb_start, beams, bounces, out,
):  # fmt: skip
    """Shade the winning triangles at (ys, xs) into `out` (n, 3), linear radiance.

    owner: whose a triangle is, m miners first, then the movers; looks: a row (14,) each. lamps
    (l, 4): xyz, candela; lamp_share (m + s, l): share of each lamp that reaches a miner, then the
    movers' stations; ambient (m + s, 6, 3). limbs (k, 7): capsules that cast shadows, of miner m in
    limb_start[m]:limb_start[m + 1], then the movers'. beams (m, 9): cap lamps' place, direction,
    candela, spill, owner; bounces (m, 7): where their light returns from: place, normal, candela.
    on_arm: for a mover's vertex the row among m + s by which it is lit, between two.
    """
    people = beams.shape[0]
    for q in nb.prange(ys.shape[0]):
        t = triangle[q]
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
        xa, ya = screen[a, 0], screen[a, 1]
        xb, yb = screen[b, 0], screen[b, 1]
        xc, yc = screen[c, 0], screen[c, 1]
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        w1 = ((xs[q] - xa) * (yc - ya) - (xc - xa) * (ys[q] - ya)) / area
        w2 = ((xb - xa) * (ys[q] - ya) - (xs[q] - xa) * (yb - ya)) / area
        w0 = (1 - w1 - w2) / screen[a, 2]
        w1 /= screen[b, 2]
        w2 /= screen[c, 2]
        k = 1 / (w0 + w1 + w2)
        w0, w1, w2 = w0 * k, w1 * k, w2 * k
        p = w0 * vertices[a] + w1 * vertices[b] + w2 * vertices[c]
        n = w0 * normals[a] + w1 * normals[b] + w2 * normals[c]
        r = w0 * rest[a] + w1 * rest[b] + w2 * rest[c]
        arm = w0 * on_arm[a] + w1 * on_arm[b] + w2 * on_arm[c]
        m = owner[t]
        kind = part[a]
        shift = m * 17.3
        rigid = kind >= RIGID
        lit, beyond, share = m, m, 0.0  # lit as row `lit`, with a share of row `beyond`
        if rigid:
            lit = min(int(arm), ambient.shape[0] - 1)
            beyond, share = min(lit + 1, ambient.shape[0] - 1), arm - lit
        n1 = _noise(r[0] * 9 + shift, r[1] * 9, r[2] * 9)
        n2 = _noise(r[0] * 34 + shift, r[1] * 34, r[2] * 34)
        n3 = _noise(r[0] * 130, r[1] * 130, r[2] * 130 + shift)
        if rigid:
            cr, cg, cb, gloss, shine, retro = _rigid_surface(kind, looks[m], n[2], n1, n2, n3)
            rough = 0.6 if kind == 9 else 0.12
            n[0] += rough * (_noise(r[0] * 27, r[1] * 27 + 5, r[2] * 27) - 0.5)
            n[1] += rough * (_noise(r[0] * 27 + 3, r[1] * 27, r[2] * 27) - 0.5)
            n[2] += rough * (_noise(r[0] * 27, r[1] * 27, r[2] * 27 + 7) - 0.5)
        else:
            cr, cg, cb, gloss, shine, retro = _surface(
                kind, looks[m], r[0], r[1], r[2], arm, n1, n2, n3
            )
        if kind == 0:  # weave
            n[0] += 0.22 * (_noise(p[0] * 40, p[1] * 40, p[2] * 40) - 0.5)
            n[2] += 0.22 * (_noise(p[0] * 40 + 9, p[1] * 40, p[2] * 40) - 0.5)
        length = math.sqrt(n[0] ** 2 + n[1] ** 2 + n[2] ** 2)
        nx, ny, nz = n[0] / length, n[1] / length, n[2] / length
        vx, vy, vz = camera[0] - p[0], camera[1] - p[1], camera[2] - p[2]
        length = math.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx / length, vy / length, vz / length
        facing = nx * vx + ny * vy + nz * vz
        if facing < 0:
            nx, ny, nz = (
                nx - 1.05 * facing * vx,
                ny - 1.05 * facing * vy,
                nz - 1.05 * facing * vz,
            )
        ix, iy, iz = 0 if nx > 0 else 1, 2 if ny > 0 else 3, 4 if nz > 0 else 5
        nearby = 0.0  # ambient occlusion by the miner's own limbs
        for i in range(0 if rigid else limb_start[m], 0 if rigid else limb_start[m + 1]):
            ux, uy, uz = (
                limbs[i, 3] - limbs[i, 0],
                limbs[i, 4] - limbs[i, 1],
                limbs[i, 5] - limbs[i, 2],
            )
            wx, wy, wz = p[0] - limbs[i, 0], p[1] - limbs[i, 1], p[2] - limbs[i, 2]
            s = (wx * ux + wy * uy + wz * uz) / (ux * ux + uy * uy + uz * uz)
            s = min(max(s, 0.0), 1.0)
            qx, qy, qz = s * ux - wx, s * uy - wy, s * uz - wz
            q2 = qx * qx + qy * qy + qz * qz
            towards = max((qx * nx + qy * ny + qz * nz) / (math.sqrt(q2) + 1e-4), 0.0)
            nearby += towards * min(limbs[i, 6] ** 2 / (q2 + 1e-3), 1.0)
        f = math.exp(-nearby)
        er = f * _cube(ambient[lit], 0, nx, ny, nz, ix, iy, iz)
        eg = f * _cube(ambient[lit], 1, nx, ny, nz, ix, iy, iz)
        eb = f * _cube(ambient[lit], 2, nx, ny, nz, ix, iy, iz)
        if share > 0:
            er += share * (f * _cube(ambient[beyond], 0, nx, ny, nz, ix, iy, iz) - er)
            eg += share * (f * _cube(ambient[beyond], 1, nx, ny, nz, ix, iy, iz) - eg)
            eb += share * (f * _cube(ambient[beyond], 2, nx, ny, nz, ix, iy, iz) - eb)
        mirror = 0.0
        for i in range(lamps.shape[0]):
            reaches = lamp_share[lit, i]
            if share > 0:
                reaches += share * (lamp_share[beyond, i] - reaches)
            if reaches <= 0:
                continue
            dx, dy, dz = lamps[i, 0] - p[0], lamps[i, 1] - p[1], lamps[i, 2] - p[2]
            d2 = dx * dx + dy * dy + dz * dz
            d = math.sqrt(d2)
            dx, dy, dz = dx / d, dy / d, dz / d
            cos_in = nx * dx + ny * dy + nz * dz
            if cos_in <= 0:
                continue
            light = lamps[i, 3] * math.sqrt(max(1 - dx * dx, 0.0)) / d2 * reaches
            for o in range(people if rigid else limb_start.shape[0] - 1):
                if d2 > 150.0:
                    break
                c0 = limb_start[o]
                fx, fy = limbs[c0, 0] - p[0], limbs[c0, 1] - p[1]
                gx, gy = dx * d, dy * d
                s = min(max((fx * gx + fy * gy) / (gx * gx + gy * gy + 1e-6), 0.0), 1.0)
                fx, fy = fx - s * gx, fy - s * gy
                if fx * fx + fy * fy > 1.4:
                    continue
                light *= limb_shadow(
                    p[0], p[1], p[2], lamps[i, 0], lamps[i, 1], lamps[i, 2],
                    limbs, c0, limb_start[o + 1], 0.13 if o == m else 0.0, 0.06,
                )  # fmt: skip
            er += light * cos_in
            eg += light * cos_in * 0.97
            eb += light * cos_in * 0.9
            hx, hy, hz = dx + vx, dy + vy, dz + vz
            length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-6
            half = max((hx * nx + hy * ny + hz * nz) / length, 0.0)
            mirror += light * cos_in * gloss * (shine + 8) / 8 * half**shine
            if retro > 0:
                mirror += light * 0.9 * math.exp((dx * vx + dy * vy + dz * vz - 1) / 0.004)
        for i in range(beams.shape[0]):
            if int(beams[i, 8]) == m or beams[i, 6] <= 0:
                continue
            dx, dy, dz = beams[i, 0] - p[0], beams[i, 1] - p[1], beams[i, 2] - p[2]
            d2 = dx * dx + dy * dy + dz * dz
            d = math.sqrt(d2)
            dx, dy, dz = dx / d, dy / d, dz / d
            cos_in = nx * dx + ny * dy + nz * dz
            cos_beam = -(dx * beams[i, 3] + dy * beams[i, 4] + dz * beams[i, 5])
            if cos_in > 0 and cos_beam > 0:
                light = spot(cos_beam, beams[i, 6], beams[i, 7]) / d2
                er += light * cos_in * 0.93
                eg += light * cos_in
                eb += light * cos_in * 1.08
                hx, hy, hz = dx + vx, dy + vy, dz + vz
                length = math.sqrt(hx * hx + hy * hy + hz * hz) + 1e-6
                half = max((hx * nx + hy * ny + hz * nz) / length, 0.0)
                mirror += light * cos_in * gloss * (shine + 8) / 8 * half**shine
                if retro > 0:
                    back = math.exp((dx * vx + dy * vy + dz * vz - 1) / 0.004)
                    mirror += light * 6.0 * back + light * 0.25
        for i in range(bounces.shape[0]):
            if bounces[i, 6] > 0:
                qx, qy, qz = bounces[i, 0] - p[0], bounces[i, 1] - p[1], bounces[i, 2] - p[2]
                q2 = qx * qx + qy * qy + qz * qz
                length = math.sqrt(q2) + 1e-4
                cos_in = max((qx * nx + qy * ny + qz * nz) / length, 0.0)
                cos_out = -(qx * bounces[i, 3] + qy * bounces[i, 4] + qz * bounces[i, 5]) / length
                light = bounces[i, 6] * cos_in * max(cos_out, 0.1) / (q2 + 0.3)
                er, eg, eb = er + light, eg + light, eb + light
        red = (cr * er + mirror) / math.pi
        green = (cg * eg + mirror) / math.pi
        blue = (cb * eb + mirror) / math.pi
        if kind == 3 and r[0] > 0.16:  # the cap lamp's lens itself
            for i in range(beams.shape[0]):
                if int(beams[i, 8]) == m:
                    cos_beam = vx * beams[i, 3] + vy * beams[i, 4] + vz * beams[i, 5]
                    glare = spot(cos_beam, beams[i, 6], beams[i, 7]) / 0.0026
                    red += glare * 0.95
                    green += glare
                    blue += glare * 1.08
        out[q, 0] = red
        out[q, 1] = green
        out[q, 2] = blue


def empty_buffers(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Give a far depth buffer and an empty winner buffer."""
    return np.full((height, width), 1e9, np.float32), np.full((height, width), -1, np.int32)
