"""Run in each of several processes: the encoder of rows that they share, against that of all rows."""

import numpy as np
from test_measured import assert_same, own_rows, random_table

from fuseprop.data.encoder import Encoder
from fuseprop.world import World, agreeing

world = World()
with agreeing(world):
    for seed in range(5):
        table, rows = random_table(np.random.default_rng(seed))
        share = world.rows(len(table) // 2 if seed else 0)
        if world.rank == world.size - 1:  # it has the rest too: all rows, the first time
            share = slice(share.start, len(table))
        own, mine = own_rows(table, rows, world, share)
        assert_same(Encoder.fit(own, mine, clip=True, bins=5), Encoder.fit(table, rows, clip=True, bins=5))
if world.rank == 0:
    print(f"{world.size} processes agree with one")
