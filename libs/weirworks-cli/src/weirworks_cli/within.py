"""Runs a command's calls against the running suite, and says what went wrong in one line."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from weirworks_client import WeirError
from weirworks_rpc import error_from_rpc

from weirworks_cli.context import Context, NoContext, read_context
from weirworks_cli.output import FAILED, explain, fail

T = TypeVar("T")


def run(context: str, work: Callable[[Context], Awaitable[T]]) -> T:
    """What `work` gives; ends the process with a sentence when a call fails."""

    async def inside() -> T:
        return await work(read_context(context))

    try:
        return asyncio.run(inside())
    except NoContext as error:
        fail(str(error))
    except grpc.aio.AioRpcError as error:
        explain(error_from_rpc(error))
    except WeirError as error:
        explain(error)
    sys.exit(FAILED)
