"""A project's workspaces in Python: `snapshots.py ws://host:4747/snapshots?projectId=app`

The first frame holds everything, each later one what changed. After a drop it begins anew with everything: there is
nothing to remember. Needs `websockets` 10 or newer; a token goes into SNAPWIRE_TOKEN.
"""
import asyncio, json, os, random, sys

import websockets


def apply(entries, frame):
    kind = frame["type"]
    if kind == "snapshot_full":
        entries.clear()
        entries.update((entry["workspaceId"], entry) for entry in frame["entries"])
    elif kind == "snapshot_changed":
        entries[frame["workspaceId"]] = frame["entry"]
    elif kind == "snapshot_removed":
        entries.pop(frame["workspaceId"], None)
    else:
        return False  # progress, freshness, or something new
    return True


async def main(url):
    token = os.environ.get("SNAPWIRE_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    entries = {}
    while True:
        try:
            async with websockets.connect(url, extra_headers=headers, max_size=None) as ws:
                async for raw in ws:
                    if apply(entries, json.loads(raw)):
                        shown = {key: entry["statusReason"]["label"] for key, entry in sorted(entries.items())}
                        print(json.dumps(shown), flush=True)
        except (OSError, websockets.WebSocketException) as error:
            print(f"not connected: {error}", file=sys.stderr)
        await asyncio.sleep(random.uniform(0.5, 2))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
