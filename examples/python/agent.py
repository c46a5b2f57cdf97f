"""A device in Python: registers, does what it is sent, acknowledges. `agent.py ws://host:4747/agent/ws desk-1`

Each message comes at least once, in order, one at a time, with an id that stays. Doing it once is up to us: an id that
was done is acknowledged and not done again. Needs `websockets` 10 or newer; a token goes into SNAPWIRE_TOKEN.
"""
import asyncio, json, os, random, sys

import websockets


def do(text):
    print(text, flush=True)  # whatever a device does


async def serve(url, device_id, done):
    token = os.environ.get("SNAPWIRE_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with websockets.connect(url, extra_headers=headers, max_size=1 << 20) as ws:
        await ws.send(json.dumps({"type": "register", "deviceId": device_id}))
        async for raw in ws:
            message = json.loads(raw)
            if message["type"] != "transcription":
                continue  # something new, or an error for people
            if message["id"] not in done:
                do(message.get("text", ""))
                done[message["id"]] = True
                if len(done) > 1000:
                    del done[next(iter(done))]
            await ws.send(json.dumps({"type": "ack", "id": message["id"]}))


async def main(url, device_id):
    done, delay = {}, 1.0
    while True:
        try:
            await serve(url, device_id, done)
            delay = 1.0
        except websockets.ConnectionClosed as closed:
            if closed.code in (4000, 4001):
                sys.exit(f"refused: {closed.reason}")
        except (OSError, websockets.InvalidStatusCode) as error:
            print(f"not connected: {error}", file=sys.stderr)
        await asyncio.sleep(delay * random.uniform(0.5, 1))
        delay = min(delay * 2, 30)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
