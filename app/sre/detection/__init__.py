"""The anomaly detectors: pure functions over arrays. Times are whole seconds since 1970, values floats of any unit.

`judge(state, times, values)` scores every new point of one series and says which anomalies opened, went on or ended;
the state that it returns is what the next call needs, and nothing else. How it decides: docs/anomaly.md.
"""

from app.sre.detection.judging import Judgement, judge
from app.sre.detection.settings import DEFAULT, Detector
from app.sre.detection.state import BadState, State
from app.sre.detection.verdicts import Anomaly, Band, Severity

__all__ = ["DEFAULT", "Anomaly", "BadState", "Band", "Detector", "Judgement", "Severity", "State", "judge"]
