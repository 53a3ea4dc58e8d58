import asyncio

from homerun.aio.pieces import in_pieces


async def test_long_work_lets_others_have_their_turn() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert await in_pieces(lambda number: number * 2, range(1000), 100) == [number * 2 for number in range(1000)]
    task.cancel()
    assert turns >= 10


async def test_of_nothing_there_is_nothing() -> None:
    assert await in_pieces(str, [], 10) == []
