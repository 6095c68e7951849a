"""The steps of a study, taken in this process."""

from dicom_assets.workflow.parallel import Steps


def run_steps(steps: Steps) -> object:
    """What the steps return. What a call raises is raised."""
    results = None
    while True:
        try:
            calls = steps.send(results)
        except StopIteration as end:
            return end.value
        results = [call() for call in calls]
