"""ffmpeg as a job: each task encodes its slice of a video, a last one joins them; ffprobe counts the frames."""

from __future__ import annotations

import json
import time

from tests.apps.trial import Trial, in_bucket

TASKS, SECONDS, FRAMES = 4, 3, 25
"""Slices, seconds of each, frames a second."""
SOURCE = f"testsrc2=size=640x360:rate={FRAMES}:duration={TASKS * SECONDS}"
SLICE = (
    f"ffmpeg -hide_banner -nostdin -y -ss $((CLOUD_RUN_TASK_INDEX * {SECONDS})) -t {SECONDS} -i source.mkv"
    " -c:v libx264 -preset veryfast slice-$CLOUD_RUN_TASK_INDEX.mkv"
    " && echo \"file 'slice-$CLOUD_RUN_TASK_INDEX.mkv'\" > list-$CLOUD_RUN_TASK_INDEX"
)
JOIN = "cat list-* > list && exec ffmpeg -hide_banner -nostdin -y -f concat -i list -c copy joined.mp4"
PROBE = (
    "exec ffprobe -v error -count_frames -show_entries stream=nb_read_frames,width,codec_name:format=duration"
    " -of json=c=1 joined.mp4"
)


def run(trial: Trial) -> None:
    trial.ask_version("sh", "-c", "ffmpeg -version | sed -n '1s/ffmpeg version \\([^ ]*\\).*/\\1/p'")
    folder = trial.bucket("videos")

    def job(name: str, *args: str, script: str = "", tasks: int = 1) -> None:
        template = in_bucket("videos", "/videos")
        template["container"] |= {"command": ["sh", "-c"], "args": [script]} if script else {"args": list(args)}
        template["container"]["resources"] = {"limits": {"cpu": "1", "memory": "512Mi"}}
        trial.job(name, tasks=tasks, **template)

    with trial.check(f"a video of {TASKS * SECONDS} s is made, by the image's entrypoint with other arguments"):
        job("ffmpeg-make", "-f", "lavfi", "-i", SOURCE, "-c:v", "ffv1", "source.mkv")
        assert (folder / "source.mkv").stat().st_size > 1 << 20
    began = time.monotonic()
    with trial.check(f"{TASKS} tasks encode a slice each (H.264)"):
        job("ffmpeg-slices", script=SLICE, tasks=TASKS)
        assert len(list(folder.glob("slice-*.mkv"))) == TASKS
    with trial.check("a last one joins them"):
        job("ffmpeg-join", script=JOIN)
    trial.figure = f"{time.monotonic() - began:.1f} s"
    with trial.check("ffprobe counts every frame"):
        job("ffmpeg-probe", script=PROBE)
        found = json.loads("".join(trial.said_by_job("ffmpeg-probe")))
        [stream] = found["streams"]
        assert stream == {"codec_name": "h264", "width": 640, "nb_read_frames": str(TASKS * SECONDS * FRAMES)}, found
        assert abs(float(found["format"]["duration"]) - TASKS * SECONDS) < 0.2, found
    with trial.check("progress that is written with carriage returns is in the log"):
        assert any("frame=" in line for line in trial.said_by_job("ffmpeg-slices"))
