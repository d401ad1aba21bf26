"""
What Sluice's burned-in view is measured against: a script as many wrote it. Everything of a stream is decoded, each picture
goes through NumPy as BGR (what any algorithm wants), is encoded as MPEG-4, the sound as MP3, and both are published again.

usage: method3.py <input> <output> <seconds> <warm-up seconds> [milliseconds that an algorithm takes for each picture]

Prints one line of JSON: CPU seconds of this process, seconds of media that went through meanwhile, how many errors had to
be caught, how far the last picture was behind the first one against the clock, and why it ended before its time, if it did.
"""
import json
import resource
import sys
import time

import av


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    source, target, seconds, warm_up = sys.argv[1:5]
    algorithm = float(sys.argv[5]) / 1000 if len(sys.argv) > 5 else 0
    given = av.open(source, options={"rtsp_transport": "tcp"})
    made = av.open(target, "w", format="rtsp", options={"rtsp_transport": "tcp"})
    video_in, audio_in = given.streams.video[0], given.streams.audio[0]
    video = made.add_stream("mpeg4", rate=25)
    video.width, video.height, video.pix_fmt = video_in.width, video_in.height, "yuv420p"
    video.bit_rate = 3_000_000
    audio = made.add_stream("libmp3lame", rate=audio_in.rate)
    begun = time.monotonic()
    first = None
    counting = None
    errors = 0
    ended = ""
    media = 0.0
    behind = 0.0
    try:
        for packet in given.demux(video_in, audio_in):
            for frame in packet.decode():
                made_packets = []
                if packet.stream.type == "audio":
                    frame.pts = None
                    made_packets = audio.encode(frame)
                elif frame.pts is not None:
                    image = frame.to_ndarray(format="bgr24")
                    if algorithm > 0:
                        time.sleep(algorithm)
                    drawn = av.VideoFrame.from_ndarray(image, format="bgr24")
                    drawn.pts, drawn.time_base = frame.pts, frame.time_base
                    made_packets = video.encode(drawn)
                    now = time.monotonic()
                    if first is None:
                        first = (now, frame.time)
                    behind = (now - first[0]) - (frame.time - first[1])
                    if counting is None and now - begun >= float(warm_up):
                        counting = (now, cpu(), frame.time)
                    if counting is not None:
                        media = frame.time - counting[2]
                for one in made_packets:
                    try:
                        made.mux(one)
                    except Exception as error:
                        errors += 1
                        ended = str(error)
            if counting is not None and time.monotonic() - counting[0] >= float(seconds):
                break
        ended = ""
    except Exception as error:
        ended = str(error)
    used = cpu() - counting[1] if counting else cpu()
    print(json.dumps({"cpu": used, "media": media, "errors": errors, "behind": behind, "ended": ended}), flush=True)


main()
