"""What a viewer is sent, in which order, and how often the loop is woken for it."""

import asyncio
from collections.abc import Callable
from typing import Any

from control_room.mailbox import MAX_WAITING, MAX_WAITING_POSITIONS, Bell, Mailbox


def test_a_slow_viewer_loses_positions_first_and_is_then_cut_off() -> None:
    async def scenario() -> None:
        mailbox = Mailbox(asyncio.get_running_loop())
        for i in range(MAX_WAITING):
            mailbox.put("positions", f"positions {i}")
        mailbox.put("groups", "groups")
        told = [await mailbox.next() for _ in range(MAX_WAITING_POSITIONS + 2)]
        assert told[-1] == "groups"
        for _ in range(MAX_WAITING + 1):
            mailbox.put("alarm", "alarm")
        assert await mailbox.next() is None

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_alarms_go_first_in_their_order() -> None:
    async def scenario() -> None:
        mailbox = Mailbox(asyncio.get_running_loop())
        for about in ("positions", "groups", "alarm 1", "clock", "alarm 2"):
            mailbox.put(about.split()[0], about)
        told = [await mailbox.next() for _ in range(5)]
        assert told == ["alarm 1", "alarm 2", "positions", "groups", "clock"]

    asyncio.run(asyncio.wait_for(scenario(), 20))


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that counts how often another thread wakes it."""

    woken = 0

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any
    ) -> asyncio.Handle:
        self.woken += 1
        return super().call_soon_threadsafe(callback, *args)


def test_fifty_viewers_wake_the_loop_once_for_each_message() -> None:
    loop = CountingLoop()
    bell = Bell()
    mailboxes = [Mailbox(loop, bell) for _ in range(50)]

    async def scenario() -> None:
        for number in range(3):
            waiting = [asyncio.ensure_future(one.next()) for one in mailboxes]
            await asyncio.sleep(0)
            for one in mailboxes:
                one.put("alarm", f"alarm {number}")
            assert await asyncio.gather(*waiting) == [f"alarm {number}"] * 50

    try:
        loop.run_until_complete(asyncio.wait_for(scenario(), 20))
        assert loop.woken == 3
    finally:
        loop.close()


def test_none_is_forgotten_who_is_told_by_other_threads() -> None:
    async def scenario() -> None:
        bell = Bell()
        mailboxes = [Mailbox(asyncio.get_running_loop(), bell) for _ in range(4)]

        def tell(mailbox: Mailbox) -> None:
            for number in range(500):
                mailbox.put("clock", str(number))

        telling = [asyncio.to_thread(tell, one) for one in mailboxes for _ in range(2)]

        async def hear(mailbox: Mailbox) -> None:
            for _ in range(1000):
                assert await mailbox.next() is not None

        await asyncio.gather(*telling, *map(hear, mailboxes))

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_a_snapshot_makes_moot_all_that_waits_and_is_read_before_later_alarms() -> None:
    """A replay that goes elsewhere: people of before it must not be shown after it."""

    async def read() -> list[str | None]:
        mailbox = Mailbox(asyncio.get_running_loop())
        for about in ("positions", "alarm", "groups"):
            mailbox.put(about, f"{about} before")
        mailbox.put("snapshot", "snapshot")
        mailbox.put("positions", "positions after")
        mailbox.put("alarm", "alarm after")
        return [await mailbox.next() for _ in range(3)]

    assert asyncio.run(read()) == ["snapshot", "alarm after", "positions after"]
