"""The profile that a site works with, checked whole before anything is done with it."""

from ..deid.profile import Profile, load_profile
from ..pixels.devices import rules_in


def site_profile(name: str) -> Profile:
    """name: a shipped profile's, or the path of a TOML file. Raises BadInput; a note on it says where to look."""
    profile = load_profile(name)
    rules_in(profile.device_rules)
    return profile
