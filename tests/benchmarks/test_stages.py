"""What py-spy saw is sorted into stages."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.stages import STAGES, Look, shares

ROOT = "run (twisted/application/app.py:1);ReactorBase.mainLoop (twisted/internet/base.py:2)"
SERVING = f"{ROOT};S3Channel.dataReceived (web/channel.py:3);S3Resource._serve (web/resources.py:4)"


class StagesTests(SynchronousTestCase):
    def test_the_innermost_decides(self) -> None:
        signing = f"{SERVING};Gate._authenticate (web/gate.py:5);digest (hmac.py:6)"
        self.assertEqual(Look.parse(f"{signing} 3"), Look(signing.split(";"), 3))
        self.assertEqual(Look.parse(f"{signing} 3").stage, "signature")
        self.assertEqual(Look.parse(f"{SERVING} 1").stage, "resource, request id, glue")

    def test_idle_threads_do_not_count(self) -> None:
        idle = "Thread.run (threading.py:1);Queue.get (queue.py:2);Condition.wait (threading.py:3) 900"
        found = shares([idle, f"{ROOT} 1", f"{SERVING};finished (composition.py:9) 3"])
        self.assertEqual(found, [("reactor: sockets", 0.25), ("access log", 0.75)])

    def test_a_frame_tells_one_stage(self) -> None:
        frames = [frame for _, frames in STAGES for frame in frames]
        self.assertEqual(len(frames), len(set(frames)))
