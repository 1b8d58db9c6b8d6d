"""JUnit XML, for CI pages: a suite per scenario, a case per expectation. Broken is a failure, invalid an error, skipped is skipped."""

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

from holdwater.prove.report.characters import printable
from holdwater.prove.report.text import actual_text, expected_text
from holdwater.prove.report.text import render as as_text


def render(reports: list[dict[str, Any]], without: Sequence[str] = ()) -> str:
    """The document, with an XML declaration. The scenarios ``without`` a verdict are errors: a page that is green has seen all of them."""
    root = ET.Element("testsuites", name="holdwater prove")
    for report in reports:
        root.append(_suite(printable(report)))
    for scenario in without:
        root.append(_suite_without_verdict(printable(scenario)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(report: dict[str, Any]) -> ET.Element:
    name = f"{report['scenario']}@{report['target']['name']}"
    cases = [_case(name, one) for one in report["expectations"]]
    cases += [_invalid_case(name, flaw) for flaw in report["invalid"]]
    tags = [child.tag for case in cases for child in case]
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(len(cases)),
        failures=str(tags.count("failure")),
        errors=str(tags.count("error")),
        skipped=str(tags.count("skipped")),
    )
    properties = ET.SubElement(suite, "properties")
    for key, value in {"seed": report["seed"], "repeat": report["repeat"], **report["versions"]}.items():
        ET.SubElement(properties, "property", name=key, value=str(value))
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = as_text(report)
    return suite


def _suite_without_verdict(scenario: str) -> ET.Element:
    suite = ET.Element("testsuite", name=scenario, tests="1", failures="0", errors="1", skipped="0")
    case = ET.SubElement(suite, "testcase", classname=scenario, name="verdict")
    ET.SubElement(case, "error", message="there is no verdict: the run broke off").text = "next: see what the run printed"
    return suite


def _case(suite: str, expectation: dict[str, Any]) -> ET.Element:
    case = ET.Element("testcase", classname=suite, name=expectation["name"])
    message = f"expected {expected_text(expectation)}, actual {actual_text(expectation)}"
    tag = {"broken": "failure", "invalid": "error", "skipped": "skipped"}.get(expectation["verdict"])
    if tag in ("error", "skipped") and expectation["reason"]:
        message += f": {expectation['reason']}"  # of these, most pages show nothing else
    if tag:
        ET.SubElement(case, tag, message=message).text = expectation["reason"]
    return case


def _invalid_case(suite: str, flaw: dict[str, str]) -> ET.Element:
    case = ET.Element("testcase", classname=suite, name=f"valid run: {flaw['rule']}")
    ET.SubElement(case, "error", message=flaw["reason"]).text = f"next: {flaw['next']}"
    return case
