"""Who reads waits; the line has an end."""

import asyncio

import pytest

from control_room.turns import BusyError, Turns


def test_so_many_at_once_and_so_many_in_line() -> None:
    async def run() -> tuple[int, int, int]:
        turns, here, most, done, refused = Turns(2, most_waiting=3), 0, 0, 0, 0

        async def read() -> None:
            nonlocal here, most, done, refused
            try:
                async with turns.turn():
                    here += 1
                    most = max(most, here)
                    await asyncio.sleep(0)
                    here -= 1
                    done += 1
            except BusyError:
                refused += 1

        await asyncio.gather(*(read() for _ in range(8)))
        return most, done, refused

    assert asyncio.run(run()) == (2, 5, 3)


def test_who_leaves_the_line_takes_no_turn() -> None:
    async def run() -> None:
        turns = Turns(1, most_waiting=1)
        async with turns.turn():
            waiting = asyncio.ensure_future(turns.turn().__aenter__())
            await asyncio.sleep(0)
            with pytest.raises(BusyError):
                await turns.turn().__aenter__()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with turns.turn():
            pass

    asyncio.run(run())
