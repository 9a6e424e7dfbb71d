"""What is said of a key that is used, or made, unusually."""

from detectors.key_use import Made, Theft
from detectors.phrases import span, times
from schemas.finding import Fact, Finding

SHOWN = 5


def theft_facts(theft: Theft) -> dict[str, Fact]:
    """What was seen of a key in use."""
    return {
        "why": theft.why,
        "networks": ", ".join(list(theft.networks.counts)[:SHOWN]) or "known ones",
        "known_networks": theft.known or "none",
        "country": theft.country or "known",
        "client": theft.client or "known",
        "overlap": "yes" if theft.overlap else "no",
        "uses_before": theft.uses,
        "areas": theft.areas,
        "refusals": theft.refusals,
    }


def made_facts(made: Made) -> dict[str, Fact]:
    """What was seen of somebody who makes keys."""
    return {
        "why": made.why,
        "action": made.action,
        "targets": ", ".join(list(made.targets.counts)[:SHOWN]),
        "distinct_targets": made.targets.number(),
        "most_in_window": made.most,
        "made_for_others_before": made.before,
        "automation": "yes" if made.automation else "no",
    }


def explain(finding: Finding) -> str:
    """See ``Detector``."""
    f = finding.facts
    match f["why"]:
        case "network":
            news = [f"the {name} {f[name]}" for name in ("country", "client") if f[name] != "known"]
            said = f"{times(finding.count, 'use')} of this key from {f['networks']}"
            said += f", with {' and '.join(news)} new to it" if news else ""
            said += f"; the {times(f['uses_before'], 'use')} before came from {f['known_networks']}"
            said += f", the last of them within {span(float(f['window_s']))}." if f["overlap"] == "yes" else "."
            return f"{said} It was refused {times(f['refusals'], 'time')}." if f["refusals"] else said
        case "enumeration":
            return (
                f"This key called {times(f['areas'], 'part')} of an API it never called in {times(f['uses_before'], 'use')} before, "
                f"and was refused {times(f['refusals'], 'time')}."
            )
        case "burst":
            return f"This account made {times(f['most_in_window'], 'key')} within {span(float(f['keys_s']))} ({f['action']}), for {f['targets']}."
    return f"This account made a key for somebody else ({f['action']}, {f['targets']}), which it had not done within {span(float(f['memory_s']))}."


def counterfactual(finding: Finding) -> str:
    """See ``Detector``."""
    f = finding.facts
    match f["why"]:
        case "network":
            return f"silent if the key had been used from there within {span(float(f['memory_s']))} before, or from more than {f['steady_networks']} networks"
        case "enumeration":
            return f"silent with fewer than {f['new_areas']} parts never called before, or {times(f['refusals_limit'], 'refusal')}, in {span(float(f['probe_s']))}"
        case "burst":
            return f"silent with fewer than {times(f['keys'], 'key')} in {span(float(f['keys_s']))}"
    return f"silent if the account had made a key for somebody else within {span(float(f['memory_s']))} before"
