"""goosebit on loopback, with a database of its own: the server of `test_ddi.py`.

    goosebit_server.py PORT      its settings come from GOOSEBIT_… in the environment
"""

import asyncio
import sys

import uvicorn
from goosebit import app
from goosebit.db.config import TORTOISE_CONF
from tortoise import Tortoise


async def make_tables():
    # Its own migrations need a command of their own, and a database that lives on.
    await Tortoise.init(config=TORTOISE_CONF)
    await Tortoise.generate_schemas(safe=True)
    await Tortoise.close_connections()


if __name__ == "__main__":
    asyncio.run(make_tables())
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
