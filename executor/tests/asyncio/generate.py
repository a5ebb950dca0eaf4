#!/usr/bin/env python3
"""Writes `../data/asyncio.txt`: random programs, and the traces that CPython's asyncio gives them.

    python3 generate.py            writes the file
    python3 generate.py --check    compares the file with the traces of the Python that runs this

The programs come from a generator of our own (splitmix64), so the same script gives the same file,
byte for byte, but for the line that names the Python. It uses `_ready` and `_run_once` of the event
loop, `_fut_waiter` of tasks and `_waiters` of locks, which 3.10 to 3.13 all have, and gives the
same programs and traces under all of them.

The language
============

A program is a list of bodies; a task runs a body, one operation after the other. The first three are
spawned from outside, in order, before the loop runs. Bodies spawn later ones only, so every program
ends or stalls. Tasks are numbered in spawn order; a program that has 30 spawns no more. Handles are
kept by number, where every task can find them; whoever awaits or cancels a task takes its handle.
What is not possible (no such handle, the own handle awaited, a lock that the task holds, or does not
hold) is passed over.

    yield           await asyncio.sleep(0)
    spawn:B         create_task, the handle is kept
    detach:B        create_task, the handle is not kept
    await:K         await the task's K-th child, modulo how many it has
    take:N          await the task number N, an ancestor perhaps
    all             await all children in the order of their numbers: for t in ..: await t
    gather:B,B,..   await asyncio.gather(..) of new tasks
    cancel:K        cancel() the K-th child
    kill:N          cancel() the task number N: a stranger, an ancestor, the task itself
    wait:E set:E clear:E        two asyncio.Events
    put:Q get:Q     await Queue.put, await Queue.get: queue 0 is unbounded, queue 1 holds one
    offer:Q poll:Q  put_nowait, get_nowait, if there is room or an item: they may jump the queue
    lock:L unlock:L             two asyncio.Locks

A task starts with a sum of its number, adds whatever it gets, and returns it. The trace is what the
tasks log: `3.1`, task 3 begins its operation 1; `3=7`, it got 7; `3.`, it is through. In programs
without `cancel` and `kill` a `/` is logged at the beginning of every iteration of the loop, so that
rounds are compared, too. A program runs until nothing is ready; what waits then waits for ever.

How asyncio maps to the executor
================================

`gather` has a turn of its own: the end of each child queues a callback, the last callback completes
gather's future, and that queues the awaiter: one turn more than `for t in ..: await t` takes. The
test models that turn with a watcher task for each child. Nothing else needs a model.

Excluded
========

A task that is cancelled gets an exception at its next turn in asyncio; in Rust it is dropped there and
then. What a victim does to clean up therefore comes earlier in Rust, and programs in which that can be
seen are outside the promise. So:

1.  Bodies have no cleanup code: no `try`, no `async with`. A victim that holds a lock keeps it.

        async def victim():                 # async with: the lock is free at the victim's next
            async with lock:                # turn, behind all that is queued at the cancel.
                await asyncio.sleep(0)      # A guard in Rust frees it at the cancel.

2.  asyncio's own cleanup code stays, in `Lock.acquire`, `Queue.get` and `Queue.put`. A program is thrown
    away if (a) a task is cancelled when a lock or a queue has woken it and it has not had its turn: it
    hands the wake on to the next in line, in asyncio at its turn, in Rust at its drop. Or if (b) a lock
    is released while the first in its line is cancelled and has not had its turn, and somebody stands
    behind: asyncio wakes nobody until the victim's turn, Rust has forgotten the victim and wakes the
    next at once.

        lock: held by H; A and B wait.      # asyncio: B is woken at A's turn, after X's.
        H: a.cancel(); lock.release(); create_task(x())     # Rust: B is woken before X is queued.

3.  A task has one awaiter, as a `Task` has one handle. In asyncio several may await one task, and the
    cancel of one of them cancels it for all.

Programs with fewer than 20 entries in their trace, and those that are alike, are thrown away as dull.
Event.wait, sleep(0), awaits of tasks, and gather have nothing that others could see of their cleanup.
"""

import asyncio
import gc
import platform
import sys
from collections import Counter
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data" / "asyncio.txt"
PROGRAMS = 1200
ROOTS = 3
MAX_TASKS = 30
CAPACITIES = [0, 1]
DULL = 20


class Random:
    """splitmix64, as in `random.rs`."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        bits = self.state
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & mask
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & mask
        return (bits ^ (bits >> 31)) % bound


# How often each operation is chosen.
WEIGHTS = {
    "yield": 6, "spawn": 8, "detach": 2, "await": 5, "take": 1, "all": 2, "gather": 3,
    "wait": 4, "set": 4, "clear": 1, "put": 4, "get": 4, "offer": 2, "poll": 1, "lock": 7,
    "cancel": 7, "kill": 14,
}
CANCELS = ("cancel", "kill")


def generate(seed):
    """A program: bodies, which are lists of (name, numbers). Half of the seeds cancel."""
    random = Random(seed)
    names = [n for n, weight in WEIGHTS.items() for _ in range(weight)]
    if seed % 2:
        names = [n for n in names if n not in CANCELS]
    count = ROOTS + 1 + random.below(6)
    return [body(random, names, number, count) for number in range(count)]


def body(random, names, number, count):
    def later():
        return number + 1 + random.below(count - number - 1)

    ops, held = [], []
    for _ in range(1 + random.below(8)):
        name = names[random.below(len(names))]
        if name in ("spawn", "detach", "gather") and number + 1 == count:
            name = "yield"
        if name in CANCELS and random.below(3):
            # So that the victim has begun.
            ops.append(("yield", []))
        if name in ("spawn", "detach"):
            ops.append((name, [later()]))
        elif name == "gather":
            ops.append((name, [later() for _ in range(1 + random.below(3))]))
        elif name in ("await", "cancel"):
            ops.append((name, [random.below(4)]))
        elif name in ("take", "kill"):
            ops.append((name, [random.below(12)]))
        elif name in ("yield", "all"):
            ops.append((name, []))
        else:
            ops.append((name, [random.below(2)]))
        if name == "lock":
            held.append(ops[-1][1])
        while held and random.below(3) == 0:
            ops.append(("unlock", held.pop()))
    # Now and then a lock is held for ever.
    return ops + [("unlock", lock) for lock in held if random.below(8)]


class Loop(asyncio.SelectorEventLoop):
    """Ends when nothing is ready, and tells when an iteration begins."""

    on_round = staticmethod(lambda: None)

    def _run_once(self):
        if not self._ready:
            self.stop()
            return
        self.on_round()
        super()._run_once()


class Record:
    """A task, and what a cancel needs to know of it."""

    def __init__(self, number):
        self.number = number
        self.task = None
        self.total = number
        self.children = []
        self.held = set()
        self.cancelled = False
        # The tasks that it awaits now, and whether it waits for what hands wakes on: rule 2a.
        self.awaits = []
        self.hands_on = False


class World:
    def __init__(self, loop, bodies):
        self.loop = loop
        self.bodies = bodies
        self.trace = []
        self.records = []
        self.handles = {}
        self.events = [asyncio.Event() for _ in range(2)]
        self.queues = [asyncio.Queue(capacity) for capacity in CAPACITIES]
        self.locks = [asyncio.Lock() for _ in range(2)]
        self.items = 0
        self.excluded = None

    def begin(self, number):
        """The record and the coroutine of a new task, if there is room."""
        if len(self.records) == MAX_TASKS:
            return None
        record = Record(len(self.records))
        self.records.append(record)
        return record, self.run(record, self.bodies[number])

    def spawn(self, number):
        begun = self.begin(number)
        if begun:
            record, coroutine = begun
            record.task = self.loop.create_task(coroutine)
            return record

    async def run(self, me, ops):
        me.task = asyncio.current_task()
        for place, (name, numbers) in enumerate(ops):
            self.trace.append(f"{me.number}.{place}")
            await getattr(self, "op_" + name)(me, *numbers)
        self.trace.append(f"{me.number}.")
        return me.total

    def got(self, me, *values):
        self.trace.append(f"{me.number}=" + ",".join(map(str, values)))
        me.total = (me.total + sum(values)) % 100

    async def op_yield(self, me):
        await asyncio.sleep(0)

    async def op_spawn(self, me, body):
        record = self.spawn(body)
        if record:
            self.handles[record.number] = record.task
            me.children.append(record.number)

    async def op_detach(self, me, body):
        self.spawn(body)

    async def op_await(self, me, place):
        if me.children:
            await self.op_take(me, me.children[place % len(me.children)])

    async def op_take(self, me, number):
        if number == me.number or number not in self.handles:
            return
        task, record = self.handles.pop(number), self.records[number]
        me.awaits = [record]
        if me.cancelled:
            self.reach(record)
        value = await task
        me.awaits = []
        self.got(me, value)

    async def op_all(self, me):
        for child in list(me.children):
            await self.op_take(me, child)

    async def op_gather(self, me, *bodies):
        begun = [pair for pair in map(self.begin, bodies) if pair]
        gathered = asyncio.gather(*(coroutine for _, coroutine in begun))
        me.awaits = [record for record, _ in begun]
        values = await gathered
        me.awaits = []
        self.got(me, *values)

    async def op_cancel(self, me, place):
        if me.children:
            await self.op_kill(me, me.children[place % len(me.children)])

    async def op_kill(self, me, number):
        if number in self.handles:
            task = self.handles.pop(number)
            if not task.done():
                self.reach(self.records[number])
                task.cancel()

    def reach(self, record):
        """Marks a task that is cancelled, and those that it awaits, and looks for rule 2a."""
        if record.cancelled or record.task and record.task.done():
            return
        record.cancelled = True
        if record.hands_on:
            waiter = record.task._fut_waiter
            if waiter is None or waiter.done():
                self.excluded = "a woken waiter was cancelled"
        for below in record.awaits:
            self.reach(below)

    async def op_wait(self, me, event):
        await self.events[event].wait()

    async def op_set(self, me, event):
        self.events[event].set()

    async def op_clear(self, me, event):
        self.events[event].clear()

    def item(self):
        self.items += 1
        return self.items

    async def op_put(self, me, queue):
        me.hands_on = True
        await self.queues[queue].put(self.item())
        me.hands_on = False

    async def op_get(self, me, queue):
        me.hands_on = True
        item = await self.queues[queue].get()
        me.hands_on = False
        self.got(me, item)

    async def op_offer(self, me, queue):
        if not self.queues[queue].full():
            self.queues[queue].put_nowait(self.item())

    async def op_poll(self, me, queue):
        if not self.queues[queue].empty():
            self.got(me, self.queues[queue].get_nowait())

    async def op_lock(self, me, lock):
        if lock not in me.held:
            me.hands_on = True
            await self.locks[lock].acquire()
            me.hands_on = False
            me.held.add(lock)

    async def op_unlock(self, me, lock):
        if lock in me.held:
            waiters = list(self.locks[lock]._waiters or ())
            if waiters and waiters[0].cancelled() and not all(w.done() for w in waiters):
                self.excluded = "a lock was released to a cancelled waiter"
            me.held.remove(lock)
            self.locks[lock].release()


def cancels(bodies):
    return any(name in CANCELS for ops in bodies for name, _ in ops)


def run(bodies):
    """The trace of a program, and why it is excluded, if it is."""
    loop = Loop()
    loop.set_exception_handler(lambda *_: None)
    world = World(loop, bodies)
    if not cancels(bodies):
        loop.on_round = lambda: world.trace.append("/")
    for number in range(ROOTS):
        record = world.spawn(number)
        world.handles[record.number] = record.task
    loop.run_forever()
    result = " ".join(world.trace), world.excluded
    # What waits for ever is closed while there is a loop, in silence.
    del world, record
    gc.collect()
    loop.close()
    return result


def text(bodies):
    def op(name, numbers):
        return name + (":" + ",".join(map(str, numbers)) if numbers else "")

    return " | ".join(" ".join(op(*each) for each in ops) for ops in bodies)


def programs():
    """The programs with their traces; says on stderr what was thrown away."""
    seen, thrown, seed = set(), Counter(), 0
    while len(seen) < PROGRAMS:
        bodies = generate(seed)
        trace, excluded = run(bodies)
        program = text(bodies)
        reason = excluded or len(trace.split()) < DULL and "dull" or program in seen and "alike"
        if reason:
            thrown[reason] += 1
        else:
            seen.add(program)
            yield seed, program, trace
        seed += 1
    print(f"{len(seen)} of {seed} programs kept, thrown away: {dict(thrown)}", file=sys.stderr)


def lines():
    yield f"# {platform.python_implementation()} {platform.python_version()}"
    yield "# Written by tests/asyncio/generate.py, which explains the programs and the traces."
    for seed, program, trace in programs():
        yield f"seed {seed}"
        yield f"program {program}"
        yield f"trace {trace}"


def main():
    written = list(lines())
    if "--check" not in sys.argv[1:]:
        DATA.write_text("\n".join(written) + "\n")
        return
    # The first line names the Python that wrote the file.
    stored = DATA.read_text().splitlines()
    for number, (old, new) in enumerate(zip(stored, written, strict=True), start=1):
        if number > 1 and old != new:
            sys.exit(f"line {number} differs under {written[0][2:]}:\n{old}\n{new}")
    print(f"all as under {stored[0][2:]}", file=sys.stderr)


if __name__ == "__main__":
    main()
