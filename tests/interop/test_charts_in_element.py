"""Charts in encrypted rooms, as users of Element meet them."""

import base64

from bot.matrix.picture_content import png_size
from bot.pictures.chart_png import HEIGHT, SCALE, WIDTH
from support.element import Elements
from support.rig import PROJECT, a_series
from support.run_rig import Stage


async def test_element_reads_the_picture_and_its_description(stage: Stage, elements: Elements) -> None:
    ann = await elements.newcomer(only_signed=True)

    async with stage.running():
        await ann.meet(stage.me)
        chat = await ann.create_direct(stage.me)
        await ann.hears(chat, stage.me, 1)  # the welcome
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        await stage.until(lambda: stage.has("series"))
        await ann.say(chat, "chart path:migration/ 30d")
        _, drawn = await ann.hears(chat, stage.me, 2)
        picture = base64.b64decode(await ann.ask("attachment", file=drawn.content["file"]))

    assert drawn.is_trusted
    assert drawn.content["msgtype"] == "m.image"
    assert drawn.content["org.patchbot"]["kind"] == "chart"
    assert "url" not in drawn.content
    assert drawn.body.startswith("30 days for path:migration/\nCame: 1\nAccepted of these: 0 (0 %)\nOpen now: 1\n")
    assert png_size(picture) == (WIDTH * SCALE, HEIGHT * SCALE)
    assert len(picture) == drawn.content["info"]["size"]
