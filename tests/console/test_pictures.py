"""Pictures for the README, of the pages as they are: `./smsgw test console --pictures` writes them anew."""

import io

import pytest
from PIL import Image
from system import until

#: Name to page and scheme.
PICTURES = {
    "console-overview": ("/console/?span=1h", "light"),
    "console-overview-dark": ("/console/?span=1h", "dark"),
    "console-provider": ("/console/routing/provider/northwind/change/", "light"),
}
_LARGEST = 150_000


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small_enough_to_be_kept(window, stage, pictures, name):
    path, scheme = PICTURES[name]
    here = window("operator", color_scheme=scheme)
    if "span" in path:
        # Tallies are folded every five seconds.
        until(lambda: "northwind" in here.open(path).inner_text("#figures"), seconds=30, what="figures of the messages")
    page = here.open(path)
    shot = Image.open(io.BytesIO(page.screenshot()))
    pictures.mkdir(parents=True, exist_ok=True)
    target = pictures / f"{name}.webp"
    shot.save(target, "WEBP", quality=82, method=6)
    assert 10_000 < target.stat().st_size <= _LARGEST
    assert shot.size == (1360, 900)
