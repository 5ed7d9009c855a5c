"""`starling report`, looked at in a browser: nothing fails, nothing is blank, everything reacts."""

import csv
import glob
import itertools
import json
import os
import unittest
import xml.etree.ElementTree

from tests import starling

try:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None

CHROMIUM, CHROMEDRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
MISSING = [package for package, there in (
    ("chromium", os.path.exists(CHROMIUM)), ("chromium-driver", os.path.exists(CHROMEDRIVER)),
    ("python3-selenium", webdriver)) if not there]

CONFIG = """
name: "bowl"
workers: 6
workers_per_node: 3
topology { name: "ring" }
optimizer { name: "sgd" config { lr: 0.05 } }
model { name: "quadratic" config { dimension: 40 } }
dataset { name: "no_data" }
backend { name: "sim" config { cluster: "laptop" } }
train { local_batch_size: 1 max_steps: 60 eval_every_steps: 10 consensus_every_steps: 5 }
"""
ALGORITHMS = {"gossip": [], "allreduce": ['--set=algorithm={name:"allreduce"}']}
RATES = ("0.05", "0.2")


def report(*args):
    return starling.run("report", *args, binary=starling.LIGHT_BINARY)


def make_sweep():
    """Trains two arms at two rates with three seeds; one run diverges, one is pending."""
    sweep = starling.scratch()
    os.makedirs(os.path.join(sweep, "runs"))
    config = starling.write(CONFIG)
    rows = []
    for arm, rate, seed in itertools.product(ALGORITHMS, RATES, (1, 2, 3)):
        run = "%s_%s_%d" % (arm, rate, seed)
        directory = os.path.join(sweep, "runs", run)
        result = starling.run(
            "train", "--config=" + config, "--run_dir=" + directory, "--set=seed=%d" % seed,
            "--set=optimizer.config.lr=" + rate, *ALGORITHMS[arm], binary=starling.LIGHT_BINARY)
        assert result.code == 0, result.err
        summary = starling.summary(directory)
        rows.append([run, summary["status"], seed, arm, rate, "", summary["eval_loss"],
                     summary["wall_seconds"], summary["state_digest"]])
    rows[0][1] = "diverged"
    rows.append(["gossip_0.2_4", "pending", 4, "gossip", "0.2", "", "", "", ""])
    with open(os.path.join(sweep, "runs.csv"), "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["run_id", "status", "seed", "arm", "optimizer.config.lr",
                         "eval_accuracy", "eval_loss", "wall_seconds", "state_digest"])
        writer.writerows(rows)
    with open(os.path.join(sweep, "sweep.textproto"), "w", encoding="utf-8") as file:
        file.write(CONFIG)
    with open(os.path.join(sweep, "sweep.json"), "w", encoding="utf-8") as file:
        json.dump({"title": "Bowls </script> & more", "metric": "eval_loss",
                   "larger_is_better": False, "commands": ["starling sweep --config=x"]}, file)
    return sweep


class CommandTest(unittest.TestCase):

    def test_says_what_it_needs(self):
        result = report()
        self.assertEqual(result.code, 2)
        self.assertIn("report needs --run=DIR or --sweep=DIR", result.err)
        result = report("--run=a", "--sweep=b")
        self.assertEqual(result.code, 2)
        self.assertIn("--run and --sweep exclude each other", result.err)

    def test_names_what_is_missing(self):
        empty = starling.scratch()
        result = report("--run=" + empty)
        self.assertNotEqual(result.code, 0)
        self.assertIn(empty + " holds no run", result.err)
        result = report("--sweep=" + empty)
        self.assertNotEqual(result.code, 0)
        self.assertIn(empty + "/runs.csv", result.err)

    def test_reports_a_run_and_its_arms(self):
        arms = CONFIG + """
            arm { name: "first" set: "algorithm.name=gossip" }
            arm { name: "second" set: "algorithm.name=allreduce" }
            """
        result, directory = starling.train(arms, binary=starling.LIGHT_BINARY)
        self.assertEqual(result.code, 0, result.err)
        for part, labels in (("", ["first", "second"]), ("first", ["bowl"])):
            path = os.path.join(directory, part)
            result = report("--run=" + path)
            self.assertEqual(result.code, 0, result.err)
            with open(os.path.join(path, "report.html"), encoding="utf-8") as file:
                page = file.read()
            text = page.split('<script type="application/json" id="data">')[1].split("</script>")[0]
            data = json.loads(text)
            self.assertEqual(sorted(c["label"] for c in data["combinations"]), labels)
            self.assertIn("--config=", data["commands"][0])


class FiguresTest(unittest.TestCase):

    def test_every_figure_is_well_formed_and_has_its_numbers(self):
        sweep = make_sweep()
        result = report("--sweep=" + sweep)
        self.assertEqual(result.code, 0, result.err)
        figures = glob.glob(os.path.join(sweep, "figures", "*.svg"))
        names = {os.path.basename(path) for path in figures}
        for metric in ("train_loss", "validation_loss", "consensus_distance"):
            for axis in ("steps", "seconds", "megabytes"):
                self.assertIn("%s_over_%s.svg" % (metric, axis), names)
        for path in figures:
            xml.etree.ElementTree.parse(path)
            with open(path[:-len("svg")] + "csv", encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file))
            self.assertGreater(len(rows), 1, path)
            self.assertEqual({len(row) for row in rows}, {len(rows[0])}, path)
        with open(os.path.join(sweep, "figures", "results.tex"), encoding="utf-8") as file:
            self.assertIn("\\bottomrule", file.read())


@unittest.skipIf(MISSING, "not installed: " + ", ".join(MISSING))
class BrowserTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.sweep = make_sweep()
        result = report("--sweep=" + cls.sweep)
        assert result.code == 0, result.err
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        # Without a profile of the user's, and without the sandbox, which root cannot have.
        profile = os.path.join(starling.scratch(), "profile")
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-proxy-server",
                         "--disable-dev-shm-usage", "--user-data-dir=" + profile):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.chrome.service.Service(CHROMEDRIVER)
        cls.driver = webdriver.Chrome(service=service, options=options)
        cls.addClassCleanup(cls.driver.quit)

    def setUp(self):
        self.show(width=1280, colours="light")
        self.driver.get("file://" + os.path.join(self.sweep, "report.html"))

    def show(self, width, colours):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": colours},
                         {"name": "prefers-reduced-motion", "value": "reduce"}]})

    def find(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def script(self, text, *args):
        return self.driver.execute_script(text, *args)

    def click(self, element):
        # In the middle, where the header does not cover it.
        self.script("arguments[0].scrollIntoView({block: 'center', inline: 'center'})", element)
        element.click()

    def background(self):
        return self.script("return getComputedStyle(document.body).backgroundColor")

    def column(self, index):
        return [row.text for row in self.find("#runs tbody td:nth-child(%d)" % index)]

    def test_nothing_fails_and_nothing_is_fetched(self):
        self.script("for (const part of document.querySelectorAll('details')) part.open = true")
        self.assertEqual([entry for entry in self.driver.get_log("browser")
                          if not entry["message"].startswith("chrome://")], [])
        self.assertEqual(
            self.script("return performance.getEntriesByType('resource').map(r => r.name)"), [])

    def test_no_chart_is_blank(self):
        self.script("for (const part of document.querySelectorAll('details')) part.open = true")
        names = [chart.text.splitlines()[0] for chart in self.find(".chart h3")]
        for name in ("train/loss", "validation/loss", "consensus/distance", "time/step_ms",
                     "Where a step’s milliseconds go"):
            self.assertIn(name, names)
        colours = self.script("""
            return [...document.querySelectorAll('canvas')].map((canvas) => {
              const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width,
                                                                  canvas.height);
              return new Set(new Uint32Array(data.buffer)).size;
            });""")
        self.assertEqual(len(colours), len(names))
        for name, count in zip(names, colours):
            self.assertGreater(count, 20, name)  # text, lines and bands, all with soft edges

    def test_sections_are_there_and_say_what_happened(self):
        shown = [part.get_attribute("id") for part in self.find("section") if part.is_displayed()]
        self.assertEqual(shown, ["overview", "curves", "consensus", "network", "time",
                                 "statistics", "runs", "reproduce"])
        self.assertEqual(self.find("h1")[0].text, "Bowls </script> & more")
        overview = self.find("#overview")[0].text
        self.assertIn("11 of 13", overview)
        self.assertIn("without 1 diverged", overview)
        self.assertIn("without 1 pending", overview)
        self.assertIn("is better than", self.find("#statistics")[0].text)
        self.assertIn("Predicted and simulated", self.find("#time")[0].text)
        heads = [head.text for head in self.find("#runs thead th")]
        self.assertIn("loss over workers", heads)
        self.assertIn(" to ", self.column(heads.index("loss over workers") + 1)[0])
        self.assertEqual(len(self.find("svg.graph circle")), 6)
        self.assertEqual(len(self.find("svg.heat rect")), 36)

    def test_a_column_sorts_by_click_and_by_key(self):
        seed = [head.text for head in self.find("#runs thead th")].index("seed") + 1
        button = self.find("#runs thead th:nth-child(%d) button" % seed)[0]
        self.click(button)
        rising = self.column(seed)
        self.assertEqual(rising, sorted(rising))
        self.assertEqual(self.find("#runs th:nth-child(%d)" % seed)[0].get_attribute("aria-sort"),
                         "ascending")
        button.send_keys(Keys.ENTER)
        self.assertEqual(self.column(seed), rising[::-1])
        # What has no value stays last both ways.
        loss = [head.text for head in self.find("#runs thead th")].index("eval_loss") + 1
        for _ in range(2):
            self.click(self.find("#runs thead th:nth-child(%d) button" % loss)[0])
            self.assertEqual(self.column(loss)[-1], "–")

    def test_dark_by_the_system_and_by_the_button(self):
        light = self.background()
        self.click(self.find("#theme")[0])
        dark = self.background()
        self.assertNotEqual(light, dark)
        self.click(self.find("#theme")[0])
        self.assertEqual(self.background(), light)
        self.show(width=1280, colours="dark")
        self.driver.refresh()
        self.assertEqual(self.background(), dark)
        self.click(self.find("#theme")[0])
        self.assertEqual(self.background(), light)

    def test_fits_a_phone(self):
        self.show(width=390, colours="light")
        self.driver.refresh()
        self.assertEqual(self.script("return innerWidth"), 390)
        self.assertEqual(self.script("return document.documentElement.scrollWidth"), 390)
        # ... and no section hides what does not fit.
        for part in self.find("section"):
            self.assertLessEqual(part.rect["x"] + part.rect["width"], 390)

    def test_axes_curves_and_scales_can_be_chosen(self):
        chart = "const chart = Chart.getChart(document.querySelector('#curves canvas')); "
        self.click(self.find("#curves .choice button:nth-child(2)")[0])
        self.assertEqual(self.script(chart + "return chart.options.scales.x.title.text"),
                         "simulated seconds")
        before = self.script(chart + "return chart.data.datasets.length")
        self.click(self.find("#curves .legend button")[0])
        self.assertLess(self.script(chart + "return chart.data.datasets.length"), before)
        scale = self.script(chart + "return chart.options.scales.y.type")
        self.click(self.find("#curves .chart h3 button")[0])
        self.assertNotEqual(self.script(chart + "return chart.options.scales.y.type"), scale)

    def test_keys_read_values(self):
        chart = self.find("#curves canvas")[0]
        chart.send_keys(Keys.ARROW_RIGHT)
        spoken = self.script("return document.querySelector('#curves [aria-live]').textContent")
        self.assertIn("steps", spoken)
        self.assertIn("gossip", spoken)
        graph = self.find("svg.graph")[0]
        graph.send_keys(Keys.ARROW_RIGHT)
        inspected = [part.text for part in self.find("#network .inspect")]
        self.assertIn("worker 0 receives from 1 (0.333), 5 (0.333)", inspected[0])
        self.find("svg.heat")[0].send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        inspected = [part.text for part in self.find("#network .inspect")]
        self.assertIn("worker 0 → 1: ", inspected[1])


if __name__ == "__main__":
    unittest.main()
