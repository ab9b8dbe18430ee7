"""Tables, pictures and verdicts are drawn from what was measured."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from docutils.core import publish_doctree
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.document import page, write
from benchmarks.results import Results
from benchmarks.targets import judge
from benchmarks.work import SMOKE
from benchmarks.workloads import WORKLOADS


def results(**rates: float) -> Results:
    """GETs of so many a second, and some of everything."""
    made = Results.of(Path("/"), SMOKE)
    for key, rate in rates.items():
        for value in (rate / 2, rate, rate * 2):
            made.add("get-4k", key, {"rate": value})
    made.weigh("get-4k", "strict", {"rss": 60.0, "peak": 70.0})
    made.add("curve", "strict", {f"GET of {size}": size / 100 for size in SMOKE.sizes})
    made.excuse("get-64m-tls", "nanio", "serves `no` TLS")
    return made


class VerdictTests(SynchronousTestCase):
    """Whether a target is met."""

    def verdicts(self, **rates: float) -> dict[str, bool | None]:
        """By title of the target."""
        return {verdict.target.title: verdict.met for verdict in judge(results(**rates))}

    def test_met(self) -> None:
        """The ratio of the medians counts."""
        self.assertTrue(self.verdicts(strict=5000.0, nanio=1000.0)["GET 4 KiB, to nanio"])

    def test_not_met(self) -> None:
        """A little too little is too little."""
        self.assertIs(False, self.verdicts(strict=4999.0, nanio=1000.0)["GET 4 KiB, to nanio"])

    def test_not_measured(self) -> None:
        """Without one of both there is no verdict."""
        self.assertIsNone(self.verdicts(strict=5000.0)["GET 4 KiB, to nanio"])

    def test_targets_exist(self) -> None:
        """Each names a workload and a metric that there are."""
        for verdict in judge(results()):
            for spot in filter(None, (verdict.target.of, verdict.target.over)):
                self.assertIn(spot[2], [metric.name for metric in WORKLOADS[spot[0]].metrics])


ROOT = Path(__file__).parents[2]

#: The rows of the README's table: the workload, the metric, and whether less of it is better.
README_ROWS = {
    "GET 4 KiB": ("get-4k", "rate", False),
    "PUT 4 KiB": ("put-4k", "rate", False),
    "GET 64 MiB": ("get-64m", "throughput", False),
    "PUT 64 MiB": ("put-64m", "throughput", False),
    "GET of 64 KiB out of 1 GiB": ("range-64k", "rate", False),
    "LIST of 100,000 keys": ("list-flat", "rate", False),
    "Complete of 1 GiB in parts": ("multipart-1g", "Complete", True),
}


class ReadmeTests(SynchronousTestCase):
    """What the README says of speed."""

    def test_figures(self) -> None:
        """They are those of the results that are kept, to two digits."""
        kept = Results.read(ROOT / "benchmarks/results.json")
        table = re.findall(r"^(\S.*?) {2,}([\d.]+) +([\d.]+)$", (ROOT / "README.rst").read_text(), re.MULTILINE)
        self.assertEqual([row[0] for row in table], list(README_ROWS))
        for name, *shown in table:
            workload, metric, less = README_ROWS[name]
            own = kept.middle(workload, "strict", metric)
            for server, text in zip(("nanio", "rclone"), shown, strict=True):
                other = kept.middle(workload, server, metric)
                assert own and other
                self.assertEqual(float(text), float(f"{other / own if less else own / other:.2g}"), (name, server))


class PageTests(SynchronousTestCase):
    """What the documentation includes."""

    def test_page(self) -> None:
        """It is reStructuredText without a fault, and has the figures and the reasons."""
        text = "\n".join(page(results(strict=9700.0, nanio=2200.0)))
        tree = publish_doctree(text, settings_overrides={"halt_level": 2, "report_level": 2})
        words = tree.astext()
        for expected in ("9,700", "2,200 (×4.41)", "-core VM", "serves no TLS", "60, 70"):
            self.assertIn(expected, words)

    def test_pictures(self) -> None:
        """They are SVG, with a bar for each figure and a point for each size."""
        with tempfile.TemporaryDirectory() as folder:
            write(results(strict=9700.0, nanio=2200.0), Path(folder))
            bars = etree.fromstring((Path(folder) / "benchmarks.svg").read_bytes())
            curve = etree.fromstring((Path(folder) / "benchmarks_curve.svg").read_bytes())
        self.assertEqual(2, len(list(bars.iter("{*}rect"))))
        self.assertEqual(len(SMOKE.sizes), len(list(curve.iter("{*}circle"))))

    def test_kept(self) -> None:
        """What is read is what was written."""
        made = results(strict=1.0)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "results.json"
            made.write(file)
            self.assertEqual("\n".join(page(made)), "\n".join(page(Results.read(file))))
