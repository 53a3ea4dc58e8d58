"""Half a browser, for streamlit.py: HOST:PORT PAGE. One session of a Streamlit app, with Streamlit's own packages."""

from __future__ import annotations

import asyncio
import json
import sys

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect


async def main(host: str, page: str) -> None:
    port = host.rpartition(":")[2]
    origin = f"http://{host}"
    url = f"ws://{host}/_stcore/stream"
    texts, deltas = [], 0
    async with connect(
        url, host="127.0.0.1", port=int(port), origin=origin, subprotocols=["streamlit"], open_timeout=60, max_size=None
    ) as socket:
        ask = BackMsg()
        ask.rerun_script.query_string = ""
        ask.rerun_script.page_name = page
        await socket.send(ask.SerializeToString())
        finished = False
        while not finished:
            got = ForwardMsg()
            got.ParseFromString(await asyncio.wait_for(socket.recv(), 60))
            kind = got.WhichOneof("type")
            if kind == "delta":
                deltas += 1
                texts.append(got.delta.new_element.markdown.body)
            finished = kind == "script_finished"
    print(json.dumps({"text": "\n".join(texts), "deltas": deltas}))


asyncio.run(main(*sys.argv[1:]))
