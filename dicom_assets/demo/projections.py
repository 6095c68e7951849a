"""Flat pictures: radiographs, ultrasound sectors, and text drawn into pixels."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from .anatomy import smooth_texture, volume


@lru_cache(maxsize=4)
def chest_radiograph(variant: int, size: int) -> np.ndarray:
    """Frontal view through a chest phantom, bone bright: float32 (size, size), 0 to 1."""
    body = volume("chest", variant, size // 2, 48, size // 2)
    density = np.clip(body + 1000, 0, None).sum(axis=1)[::-1]
    exposed = 1 - np.exp(-density / 20000)
    exposed = (exposed - exposed.min()) / np.ptp(exposed)
    return _resized(exposed, size)


@lru_cache(maxsize=4)
def hand_radiograph(variant: int, size: int) -> np.ndarray:
    """Bones of a hand within its soft tissue, bone bright: float32 (size, size), 0 to 1."""
    tissue, bone = (Image.new("L", (512, 512), 0) for _ in range(2))
    draw_tissue, draw_bone = ImageDraw.Draw(tissue), ImageDraw.Draw(bone)
    draw_tissue.ellipse((150, 250, 365, 470), fill=90)
    draw_tissue.rectangle((190, 420, 325, 512), fill=90)
    for x, y in ((200, 400), (235, 392), (270, 390), (305, 398), (218, 428), (255, 425), (292, 428)):
        draw_bone.ellipse((x - 17, y - 15, x + 17, y + 15), fill=140)
    draw_bone.line((228, 450, 224, 512), fill=155, width=34)
    draw_bone.line((288, 450, 292, 512), fill=155, width=28)
    fingers = ((175, 345, -34, 95), (215, 285, -14, 175), (257, 275, 1, 205), (300, 285, 14, 180), (338, 305, 28, 140))
    for x, y, lean, length in fingers:
        _draw_finger(draw_tissue, draw_bone, (x, y), lean, length + variant % 4 * 4)
    blurred = [
        np.asarray(image.filter(ImageFilter.BoxBlur(radius)), np.float32) for image, radius in ((tissue, 5), (bone, 2))
    ]
    flat = blurred[0] + blurred[1]
    flat = flat * (1 + 0.06 * smooth_texture(variant, (2, 512, 512))[0])
    return _resized(flat / flat.max(), size)


def ultrasound_sector(variant: int, rows: int, columns: int, phase: float = 0.0) -> np.ndarray:
    """A convex probe's sector with a cyst and layers: uint8 (rows, columns), 0 outside. phase: 0 to 1, of one beat."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    dx, dy = x - columns / 2, y - rows * 0.05
    depth, angle = np.hypot(dx, dy) / rows, np.arctan2(dx, dy)
    grain = smooth_texture(variant + 50, (2, 400, 120))[0]
    speckle = grain[np.clip(depth * 399, 0, 399).astype(int), np.clip((angle + 0.7) / 1.4 * 119, 0, 119).astype(int)]
    layers = 0.12 * np.sin(depth * 46 + 3 * np.sin(angle * 3 + variant)) * (depth < 0.42)
    shade = 0.50 + 0.22 * speckle + layers - 0.28 * depth
    beat = 1 + 0.12 * np.sin(2 * np.pi * phase)
    cyst = ((x - columns * 0.54) / (columns * 0.10 * beat)) ** 2 + ((y - rows * 0.55) / (rows * 0.13 * beat)) ** 2
    shade = np.where(cyst < 1, 0.05, np.where((cyst < 1.25), 0.85, shade))
    shade += 0.18 * ((cyst >= 1) & (np.abs(x - columns * 0.54) < columns * 0.08) & (y > rows * 0.68))
    inside = (np.abs(angle) < 0.66) & (depth > 0.12) & (depth < 0.88)
    return (np.clip(shade, 0, 1) * 255 * inside).astype(np.uint8)


def draw_lines(picture: np.ndarray, lines: tuple[str, ...], size: int = 16) -> np.ndarray:
    """A copy of picture, uint8 (rows, columns) or (rows, columns, 3), with the lines in white at the top left."""
    image = Image.fromarray(picture)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for number, line in enumerate(lines):
        pen.text((8, 4 + number * (size + 4)), line, fill="white" if picture.ndim == 3 else 255, font=font)
    return np.asarray(image)


def _draw_finger(
    tissue: ImageDraw.ImageDraw, bone: ImageDraw.ImageDraw, base: tuple[int, int], lean: float, length: int
) -> None:
    """Metacarpal below base, three phalanges above it; lean in degrees from upright."""
    x, y = base
    across, up = np.sin(np.radians(lean)), -np.cos(np.radians(lean))
    tissue.line((x, y, x + across * length, y + up * length), fill=90, width=44)
    tissue.ellipse((x + across * length - 22, y + up * length - 22, x + across * length + 22, y + up * length + 22), 90)
    joints = (-0.45, -0.02, 0.02, 0.46, 0.50, 0.76, 0.80, 1.0)
    for first, last, width in zip(joints[::2], joints[1::2], (20, 18, 15, 12), strict=True):
        ends = [(x + across * length * t, y + up * length * t) for t in (first, last)]
        bone.line((*ends[0], *ends[1]), fill=155, width=width)
        for end_x, end_y in ends:
            bone.ellipse((end_x - width * 0.62, end_y - 8, end_x + width * 0.62, end_y + 8), fill=160)


def _resized(picture: np.ndarray, size: int) -> np.ndarray:
    image = Image.fromarray(picture.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)
