"""`dicom-assets profile`: what a profile does to which element, and why."""

import argparse
import json

from ..workflow import profile_rules


def show(options: argparse.Namespace) -> int:
    if options.json:
        return _print_json(profile_rules.shown_as_json(options.profile))
    print(profile_rules.shown(options.profile))
    return 0


def diff(options: argparse.Namespace) -> int:
    if options.json:
        return _print_json(profile_rules.differences_as_json(options.first, options.second))
    print(profile_rules.differences(options.first, options.second))
    return 0


def list_shipped(options: argparse.Namespace) -> int:
    if options.json:
        return _print_json(profile_rules.listed_as_json())
    print(profile_rules.listed())
    return 0


def _print_json(content: dict) -> int:
    print(json.dumps(content))
    return 0
