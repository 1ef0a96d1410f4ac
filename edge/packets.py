"""Picture to packet: encode the panorama and put the people's positions beside it.

Knows nothing about where packets go.
"""

from edge.encoder import PanoramaEncoder
from edge.pipeline import Picture
from scene.messages import PanoramaPacket


def packet_of(picture: Picture, encoder: PanoramaEncoder) -> PanoramaPacket:
    """Encode a picture; everybody's position travels with it."""
    panorama = picture.panorama
    payload, key_frame = encoder.encode(panorama.image, panorama.captured_at_ns)
    return PanoramaPacket(
        captured_at_ns=panorama.captured_at_ns,
        key_frame=key_frame,
        geometry=panorama.geometry,
        size_px=panorama.image.size_px,
        positions=picture.positions,
        payload=payload,
    )
