"""Acts: what people had the bot change, written before it is sent."""

from dataclasses import replace

from bot.ids import EventId, PatchId, SeriesId, UserId
from bot.store.act_book import KEEP_ACTS, Act, ActField, ActKey, ActPatch, ActStep, ActValue
from bot.store.retention import delete_outdated
from bot.store.store import Store
from support.store_rig import OTHER_SERVER, PROJECT, ROOM, SERVER, StoreRig

ANN = UserId("@ann:hs")
KEY = ActKey(ROOM, EventId("$said"), SERVER)
PATCHES = tuple(ActPatch(PatchId(number), PROJECT, SeriesId(5), f"[{number}/3] A", "new") for number in (3, 1, 2))


async def begun(store: Store, key: ActKey = KEY) -> Act:
    async with store.transaction() as tx:
        return await tx.acts.add(key, ANN, ActValue(ActField.DELEGATE, "bob", 4), PATCHES)


async def test_an_act_is_found_again_by_its_command_with_its_patches_in_order(store: Store) -> None:
    act = await begun(store)
    other = await begun(store, replace(KEY, server=OTHER_SERVER))

    async with store.transaction() as tx:
        assert await tx.acts.of_command(ROOM, KEY.event) == [act, other]
        assert await tx.acts.of_command(ROOM, EventId("$other")) == []
    assert act.patches == PATCHES


async def test_each_step_is_written_down(store: Store) -> None:
    act = await begun(store)
    done, failed = replace(PATCHES[0], step=ActStep.DONE), replace(PATCHES[2], step=ActStep.FAILED, reason="HTTP 403")

    async with store.transaction() as tx:
        await tx.acts.set_steps(act.id, [done, failed])

    async with store.transaction() as tx:
        (found,) = await tx.acts.of_command(ROOM, KEY.event)
    assert found.patches == (done, PATCHES[1], failed)
    assert [each.step.is_final for each in found.patches] == [True, False, True]


async def test_acts_are_kept_for_thirty_days(store: Store, rig: StoreRig) -> None:
    await begun(store)
    rig.advance(days=KEEP_ACTS.days - 1)
    await begun(store, replace(KEY, event=EventId("$later")))
    await delete_outdated(store)
    assert rig.count("act") == 2

    rig.advance(days=2)
    await delete_outdated(store)

    assert rig.count("act") == 1
    assert rig.count("act_patch") == len(PATCHES)
