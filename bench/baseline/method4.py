"""
What Sluice is measured against: a script as many wrote it. Each picture of a stream is decoded into BGR by OpenCV, made
a JPEG, written as base64, and published on a channel of Redis.

usage: method4.py <stream> <redis> <channel> <seconds> <warm-up seconds> [width height]

Prints one line of JSON: pictures that were published, CPU seconds of this process meanwhile, bytes of a message.
"""
import base64
import json
import resource
import sys
import time

import cv2
import redis


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    address, server, channel, seconds, warm_up = sys.argv[1:6]
    size = tuple(int(part) for part in sys.argv[6:8])
    connection = redis.Redis.from_url(server)
    capture = cv2.VideoCapture(address)
    start = time.monotonic()
    counting = None
    frames = 0
    size_sum = 0
    while True:
        ok, frame = capture.read()
        if not ok:
            raise SystemExit(f"{address} cannot be read.")
        if size:
            frame = cv2.resize(frame, size)
        _, jpeg = cv2.imencode(".jpg", frame)
        text = base64.b64encode(jpeg)
        connection.publish(channel, text)
        now = time.monotonic()
        if counting is None:
            if now - start >= float(warm_up):
                counting = (now, cpu())
            continue
        frames += 1
        size_sum += len(text)
        if now - counting[0] >= float(seconds):
            break
    print(json.dumps({"frames": frames, "cpu": cpu() - counting[1], "bytes": size_sum // frames}), flush=True)


main()
